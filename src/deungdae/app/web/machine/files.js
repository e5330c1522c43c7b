// The documents of a machine: manuals, drawings, photographs.

import { $, button, element, put } from "../dom.js";
import { number } from "../format.js";
import { get, here, may } from "../shell.js";
import { Table } from "../table.js";

const KINDS = ".pdf,.png,.jpg,.jpeg,.gif,.webp,.txt,.md,.csv";

export class Files {
  constructor(asset) {
    this.asset = asset;
  }

  async build() {
    const { t } = here;
    $("machine-files").hidden = false;
    this.table = new Table({
      name: `documents ${this.asset}`,
      label: t.filesTitle,
      empty: t.noFiles,
      columns: [
        { key: "name", title: t.fileName, show: (file) => this.link(file) },
        { key: (file) => file.size / 1000, title: t.fileSize, kind: "number", show: (file) => size(file.size) },
        { key: "time", title: t.fileTime, kind: "time" },
      ],
    });
    $("file-rows").replaceChildren(element("p", "quiet", t.loading));
    this.showTools();
    await this.ask();
  }

  take(changed) {
    if (changed("session") && this.table) this.showTools();
  }

  showTools() {
    const { t } = here;
    const input = element("input", "said");
    Object.assign(input, { type: "file", accept: KINDS, tabIndex: -1 });
    input.setAttribute("aria-label", t.addFile);
    input.addEventListener("change", () => input.files[0] && this.add(input.files[0]));
    const add = button("", t.addFile, () => input.click());
    add.disabled = !may("engineer");
    add.title = add.disabled ? t.addFileRole : KINDS.replaceAll(",", " ");
    $("file-tools").replaceChildren(add, input);
  }

  async ask() {
    try {
      this.table.fill(await get(`documents/${encodeURIComponent(this.asset)}`));
      $("file-rows").replaceChildren(this.table.element);
    } catch (problem) {
      $("file-rows").replaceChildren();
      put($("file-note"), `! ${problem instanceof TypeError ? here.t.failed : problem.message}`);
    }
  }

  async add(file, replace = false) {
    const { t } = here;
    const path = `documents/${encodeURIComponent(this.asset)}/${encodeURIComponent(file.name)}${replace ? "?replace=true" : ""}`;
    try {
      await get(path, { method: "PUT", headers: { "Content-Type": "application/octet-stream", "X-Deungdae": "1" }, body: file });
    } catch (problem) {
      if (problem.status === 409 && !replace) return this.askReplace(file);
      put($("file-note"), `! ${problem.message}`);
      return null;
    }
    put($("file-note"), t.fileKept(file.name));
    return this.ask();
  }

  // beside the button: the dialog of the page sends JSON
  askReplace(file) {
    const { t } = here;
    const yes = button("danger", t.replace, () => this.add(file, true));
    const no = button("", t.cancel, () => $("file-note").replaceChildren());
    $("file-note").replaceChildren(`${t.replaceFile(file.name)} ${t.replaceText} `, yes, " ", no);
    yes.focus();
    return null;
  }

  link(file) {
    const made = element("a", "", file.name);
    made.href = `/api/v1/documents/${encodeURIComponent(this.asset)}/${encodeURIComponent(file.name)}`;
    made.target = "_blank";
    made.rel = "noopener noreferrer";
    return made;
  }
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${number(Math.round(bytes / 1000), here.t.locale)} kB` : `${number(bytes / 1e6, here.t.locale, true)} MB`;
}
