// What was changed in the files: by whom and when, looked at and put back.

import { difference } from "../difference.js";
import { $, button, element, put } from "../dom.js";
import { ask, get, here, may, moment } from "../shell.js";

const SHOWN = 12;

export class Changes {
  constructor() {
    this.again = () => this.build();
    addEventListener("files-saved", this.again);
  }

  leave() {
    this.gone = true;
    removeEventListener("files-saved", this.again);
  }

  take(changed) {
    if (changed("session") && $("changes").hidden !== !may("engineer")) this.build();
  }

  async build() {
    $("changes").hidden = !may("engineer");
    if (!may("engineer")) return;
    const found = await get("files/versions").catch((problem) => this.gone || put($("changes-none"), problem.message));
    if (!Array.isArray(found) || this.gone) return;
    put($("changes-none"), found.length ? "" : here.t.noChanges);
    // what a person has opened stays open, though the list is drawn anew when the factory reloads
    const open = new Set([...$("changes-list").querySelectorAll("details[open]")].map((each) => each.dataset.id));
    $("changes-list").replaceChildren(...found.slice(0, SHOWN).map((each) => this.change(each, open.has(each.id))));
  }

  change(each, open) {
    const { t } = here;
    const place = element("div");
    const made = element("details", "", element("summary", "", element("strong", "", moment(each.time)), ` ${each.person || t.somebody} · ${each.files.join(", ")}`), place);
    made.addEventListener("toggle", () => made.open && !place.firstChild && this.look(each, place));
    made.dataset.id = each.id;
    made.open = open;
    return element("li", "", made);
  }

  async look(each, place) {
    const { t } = here;
    try {
      const { before, after } = await get(`files/versions/${each.id}`);
      const parts = Object.keys(before).flatMap((name) => [
        element("h3", "", name),
        after[name] === null ? element("p", "quiet", t.notKnownAnyMore) : difference(before[name], after[name]),
      ]);
      place.replaceChildren(...parts, element("menu", "", button("", t.putBack, () => this.restore(each))));
    } catch (problem) {
      place.replaceChildren(element("p", "wrong", problem.message));
    }
  }

  async restore(each) {
    const { t } = here;
    const { files } = await get("files");
    const versions = Object.fromEntries(files.filter((file) => each.files.includes(file.name)).map((file) => [file.name, file.version]));
    ask({ title: t.putBackTitle, text: t.putBackText(each.files.join(", "), moment(each.time)), yes: t.putBack, path: `files/versions/${each.id}/restore`, body: { versions }, done: () => this.build() });
  }
}
