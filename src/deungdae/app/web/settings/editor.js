// The factory's files in an editor: checked while somebody types, looked over before they are saved.

import { difference } from "../difference.js";
import { $, button, element, put } from "../dom.js";
import { say } from "../said.js";
import { get, here, may, send } from "../shell.js";
import { Conflict } from "./conflict.js";

const PAUSE = 500; // ms after the last key until the text is checked
const INDENT = "    ";

// by name: { base, text, version, encoding }; kept while other pages are open
const drafts = new Map();
let chosen = "";

export class Editor {
  constructor() {
    this.faults = [];
    this.saved = ""; // what the last saving changed, until somebody types: the page is built anew by it
    this.timer = null;
    this.conflict = new Conflict((name, text, version, base) => this.settle(name, text, version, base));
    this.warn = (event) => this.changed().length && event.preventDefault();
    addEventListener("beforeunload", this.warn);
    $("file-text").addEventListener("input", () => this.type());
    $("file-text").addEventListener("scroll", () => ($("file-lines").scrollTop = $("file-text").scrollTop));
    $("file-text").addEventListener("keydown", (event) => this.key(event));
    $("file-review").addEventListener("click", () => this.review());
    $("file-drop").addEventListener("click", () => this.drop());
  }

  leave() {
    this.gone = true;
    clearTimeout(this.timer);
    removeEventListener("beforeunload", this.warn);
  }

  take(changed) {
    if (changed("session") && $("files").hidden !== !may("engineer")) this.build();
  }

  async build() {
    $("files").hidden = !may("engineer");
    if (!may("engineer")) return;
    $("file-text").setAttribute("aria-label", here.t.filesTitle);
    $("file-tabs").setAttribute("aria-label", here.t.filesTitle);
    this.conflict.draw();
    const turn = (this.reading = {});
    try {
      const found = await get("files");
      if (!this.gone && turn === this.reading) this.learn(found); // else read before the last saving
    } catch (problem) {
      if (!this.gone) put($("file-state"), problem.message);
    }
  }

  // takes over what is on disk, without touching what somebody is writing
  learn({ folder, files, faults }) {
    put($("file-note"), here.t.filesIn(folder));
    for (const file of files) {
      const draft = drafts.get(file.name);
      if (!draft || draft.text === draft.base) drafts.set(file.name, { base: file.text, text: file.text, version: file.version, encoding: file.encoding });
      else if (draft.version !== file.version) this.conflict.show(file, draft, null);
    }
    const names = files.map((file) => file.name);
    for (const name of [...drafts.keys()]) if (!names.includes(name)) drafts.delete(name);
    if (!drafts.has(chosen)) chosen = names[0];
    this.faults = faults;
    this.open(chosen);
    if (this.changed().length) this.check();
  }

  open(name) {
    chosen = name;
    const draft = drafts.get(name);
    const tabs = [...drafts.keys()].map((each) => {
      const tab = button(each === name ? "chosen" : "", each, () => this.open(each));
      tab.setAttribute("aria-pressed", each === name);
      return tab;
    });
    $("file-tabs").replaceChildren(...tabs);
    if ($("file-text").value !== draft.text) $("file-text").value = draft.text;
    $("file-text").readOnly = !draft.encoding;
    this.draw();
  }

  changed() {
    return [...drafts].filter(([, draft]) => draft.text !== draft.base || draft.encoding === "cp949").map(([name]) => name);
  }

  type() {
    drafts.get(chosen).text = $("file-text").value;
    this.saved = "";
    $("file-diff").hidden = true;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), PAUSE);
  }

  // Tab goes on to the next thing, as everywhere, unless somebody wants it to indent: then Escape
  // lets it go on once
  key(event) {
    if (event.key === "Escape") this.released = true;
    else if (event.key === "Tab" && $("file-tab").checked && !this.released && !event.shiftKey) {
      event.preventDefault();
      document.execCommand("insertText", false, INDENT); // the one way that can be undone
    } else if (event.key !== "Shift") this.released = false;
  }

  check() {
    this.checking = this.ask();
    return this.checking;
  }

  async ask() {
    clearTimeout(this.timer);
    const names = this.changed();
    const texts = Object.fromEntries(names.map((name) => [name, drafts.get(name).text]));
    const turn = (this.turn = {});
    try {
      const faults = names.length ? await send("files/check", { files: texts }) : (await get("files")).faults;
      if (this.gone) return false;
      if (turn !== this.turn) return this.checking; // a newer question says it
      this.faults = faults;
    } catch (problem) {
      if (!this.gone) put($("file-state"), problem.message);
      return false;
    }
    this.draw();
    return !this.faults.length;
  }

  draw() {
    const { t } = here;
    const draft = drafts.get(chosen);
    const names = this.changed();
    const own = new Set(this.faults.filter((fault) => fault.file === chosen).map((fault) => fault.line));
    this.number(draft.text.split("\n").length, own);
    for (const tab of $("file-tabs").children) {
      const wrong = this.faults.filter((fault) => fault.file === tab.firstChild.textContent).length;
      tab.replaceChildren(tab.firstChild, ...(names.includes(tab.firstChild.textContent) ? [element("span", "mark", ` ${t.unsaved}`)] : []), ...(wrong ? [element("span", "mark wrong", ` ! ${wrong}`)] : []));
    }
    const told = this.faults.length ? t.faultCount(this.faults.length) : names.length ? t.changedFiles(names.join(", ")) : this.saved || t.savedAndRight;
    put($("file-state"), draft.encoding === "utf-8" ? told : draft.encoding ? t.otherEncoding : t.noText);
    $("file-state").className = this.faults.length || !draft.encoding ? "wrong" : "right";
    $("file-faults").replaceChildren(...this.faults.map((fault) => this.fault(fault)));
    $("file-review").disabled = !names.length || this.faults.length > 0;
    $("file-review").title = this.faults.length ? t.firstMend : "";
    $("file-drop").disabled = !names.length;
  }

  // the numbers of the lines beside the text, those with a fault marked
  number(count, wrong) {
    const parts = [];
    let run = "";
    for (let line = 1; line <= count; line++) {
      if (wrong.has(line)) {
        parts.push(run, element("b", "", `! ${line}\n`));
        run = "";
      } else run += `${line}\n`;
    }
    $("file-lines").replaceChildren(...parts, run);
    $("file-lines").scrollTop = $("file-text").scrollTop;
  }

  fault(fault) {
    const place = [fault.file, fault.line && here.t.lineOf(fault.line)].filter(Boolean).join(" · ");
    const words = `${fault.key}${fault.value ? ` = ${fault.value}` : ""}`;
    const go = button("link", place, () => this.reveal(fault));
    return element("li", "", go, element("p", "", element("code", "", words), ` — ${say(fault.problem)}`), fault.remedy && element("p", "quiet", `${here.t.remedy}: ${say(fault.remedy)}`));
  }

  reveal({ file, line }) {
    if (drafts.has(file)) this.open(file);
    const text = $("file-text");
    const lines = text.value.split("\n");
    const at = lines.slice(0, (line ?? 1) - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(at, at + (lines[(line ?? 1) - 1] ?? "").length);
    const height = parseFloat(getComputedStyle(text).lineHeight);
    text.scrollTop = ((line ?? 1) - 5) * height;
  }

  drop() {
    this.saved = "";
    for (const [, draft] of drafts) draft.text = draft.base;
    this.conflict.hide();
    $("file-diff").hidden = true;
    this.build();
  }

  async review() {
    if (!(await this.check())) return;
    const { t } = here;
    const parts = this.changed().flatMap((name) => [element("h3", "", name), difference(drafts.get(name).base, drafts.get(name).text)]);
    const note = element("p", "quiet", t.savedAtOnce);
    const save = button("first", t.save, () => this.save(save));
    const back = button("", t.goOn, () => this.close());
    $("file-diff").replaceChildren(element("h3", "", t.reviewTitle), ...parts, note, element("menu", "", back, save));
    $("file-diff").hidden = false;
    save.focus();
  }

  close() {
    $("file-diff").hidden = true;
    $("file-text").focus();
  }

  async save(face) {
    face.disabled = true;
    const names = this.changed();
    const files = Object.fromEntries(names.map((name) => [name, drafts.get(name).text]));
    const versions = Object.fromEntries(names.map((name) => [name, drafts.get(name).version]));
    try {
      const told = await send("files", { files, versions }, "PUT");
      this.reading = {};
      for (const file of told.files) drafts.set(file.name, { base: file.text, text: file.text, version: file.version, encoding: file.encoding });
      if (this.gone) return;
      $("file-diff").hidden = true;
      this.faults = [];
      this.saved = told.changes.length ? here.t.savedWith(told.changes.join(", ")) : here.t.saved;
      this.open(chosen);
      $("file-text").focus();
      dispatchEvent(new Event("files-saved"));
    } catch (problem) {
      face.disabled = false;
      if (problem.told?.rule === "conflict") {
        $("file-diff").hidden = true;
        this.conflict.show(problem.told.file, drafts.get(problem.told.file.name), problem.told);
      } else put($("file-state"), [problem.message, ...(problem.told?.faults ?? []).map((fault) => say(fault))].join(" · "));
    }
  }

  // a conflict is at an end: text is what the person goes on with, base what is on disk
  settle(name, text, version, base) {
    drafts.set(name, { ...drafts.get(name), base, text, version });
    this.open(name);
    this.check();
  }
}
