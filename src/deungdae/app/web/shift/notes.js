// What one shift tells the next: what was not read yet stands at the top of the page.

import { $, button, element } from "../dom.js";
import { get, here, may, moment, send } from "../shell.js";
import { Soon } from "./soon.js";

const WAIT = 250; // ms after the last letter of a search

export class Notes {
  constructor() {
    this.asking = 0;
    this.soon = new Soon(() => this.ask());
    $("note-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.hand();
    });
    $("note-search").addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), WAIT);
    });
  }

  build() {
    this.allow();
    return this.ask();
  }

  take(changed) {
    const events = changed("events");
    if (events && Object.keys(events).some((id) => id.includes(".handover"))) this.soon.ask();
    if (changed("session")) this.allow();
  }

  leave() {
    this.asking++;
    clearTimeout(this.timer);
    this.soon.stop();
  }

  allow() {
    const allowed = may("operator");
    for (const id of ["note-text", "note-send"]) {
      $(id).disabled = !allowed;
      $(id).title = allowed ? "" : here.t.needsOperator;
    }
    if (this.unread) this.draw();
  }

  async ask() {
    const turn = ++this.asking;
    const search = $("note-search").value.trim();
    try {
      const all = await get("handover");
      const found = search ? await get(`handover?search=${encodeURIComponent(search)}`) : all;
      if (turn !== this.asking) return;
      this.unread = all.filter((note) => !note.seen);
      this.found = found;
    } catch (problem) {
      this.say(problem.message);
      return;
    }
    this.searched = Boolean(search);
    this.draw();
  }

  draw() {
    const { t } = here;
    // what one has just left oneself need not be read by oneself
    const others = this.unread.filter((note) => note.person !== (here.session.name || here.session.user));
    $("unread").hidden = !others.length;
    $("unread-notes").replaceChildren(...others.map((note) => this.note(note, may("operator"))));
    const empty = element("li", "quiet", this.searched ? t.noNotesFound : t.noNotes);
    $("note-list").replaceChildren(...(this.found.length ? this.found.map((note) => this.note(note, false)) : [empty]));
  }

  note(note, asks) {
    const { t } = here;
    const head = element("p", "quiet", `${moment(note.time)} · ${note.person}${note.seen && !asks ? ` · ${t.seenBy(note.seen)}` : ""}`);
    const made = element("li", "note", head, element("p", "text", note.text));
    if (asks) made.append(button("", `✓ ${t.readIt}`, (event) => this.see(note, event.currentTarget)));
    return made;
  }

  async see(note, pressed) {
    pressed.disabled = true;
    pressed.disabled = await this.act("handover/seen", { id: note.id, time: note.time });
  }

  async hand() {
    if (await this.act("handover", { text: $("note-text").value })) $("note-text").value = "";
  }

  async act(path, body) {
    try {
      await send(path, body);
    } catch (problem) {
      this.say(problem instanceof TypeError ? here.t.failed : problem.message);
      return false;
    }
    $("note-problem").hidden = true;
    await this.ask();
    return true;
  }

  say(problem) {
    $("note-problem").hidden = false;
    $("note-problem").textContent = problem;
  }
}
