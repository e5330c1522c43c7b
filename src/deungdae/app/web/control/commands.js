// What was written, refused, asked and decided in the last day, from the journal.

import { $, button, element } from "../dom.js";
import { because as said } from "../reason.js";
import { say } from "../said.js";
import { get, here, known, may, moment } from "../shell.js";
import { Table } from "../table.js";
import { result, rule, signalName, value, who } from "./words-of.js";

const PAGE = 200;
// kinds of entries of the journal that each choice shows
const CHOICES = {
  all: ["written", "refusal", "held", "declined", "lost", "hold", "mode", "kill", "release", "clear", "set-point"],
  written: ["written"],
  refused: ["refusal"],
  asked: ["held", "declined", "permit"],
  failed: ["lost", "hold"],
  persons: ["mode", "kill", "release", "clear", "set-point", "declined"],
};
const RESULTS = { written: "written", refusal: "refused", held: "held", lost: "failed", hold: "failed" };

export class Commands {
  constructor() {
    this.entries = [];
    this.rest = 0;
    this.choice = "all";
    this.words = "";
    this.turn = 0;
    $("commands-again").addEventListener("click", () => this.read());
  }

  build() {
    const { t } = here;
    const columns = [
      { key: "time", title: t.time, kind: "time", show: (entry) => moment(entry.time, true) },
      { key: (entry) => outcome(entry), title: t.result, show: (entry) => result(RESULTS[entry.kind] ?? entry.kind) },
      { key: (entry) => (entry.data.signal ? signalName(entry.data.signal) : ""), title: t.signal },
      { key: (entry) => wanted(entry), title: t.value },
      { key: (entry) => who(entry.data.approver || entry.data.person || entry.who), title: t.by },
      { key: (entry) => because(entry), title: t.why },
    ];
    this.table = new Table({ name: t.commandsOfDay, columns, empty: t.noCommands, look: (entry) => entry.kind });
    const search = element("input");
    search.type = "search";
    search.placeholder = t.searchCommands;
    search.setAttribute("aria-label", t.searchCommands);
    search.addEventListener("input", () => {
      this.words = search.value.toLowerCase();
      this.draw();
    });
    this.picks = element("div", "picks");
    this.picks.setAttribute("role", "group");
    this.picks.setAttribute("aria-label", t.result);
    this.more = button("", t.older, () => this.read(this.rest));
    $("commands-body").replaceChildren(element("div", "filters", this.picks, search), this.table.element, this.more);
    this.drawPicks();
    this.read();
  }

  drawPicks() {
    const { t } = here;
    this.picks.replaceChildren(
      ...Object.keys(CHOICES).map((name) => {
        const made = button(name === this.choice ? "chosen" : "", t.choices[name], () => this.choose(name));
        made.setAttribute("aria-pressed", name === this.choice);
        return made;
      }),
    );
  }

  choose(name) {
    this.choice = name;
    this.drawPicks();
    [...this.picks.children][Object.keys(CHOICES).indexOf(name)].focus();
    this.read();
  }

  take(changed) {
    if (changed("session") && !changed("factory")) this.read();
  }

  async read(before = 0) {
    const turn = ++this.turn;
    $("commands-again").hidden = !may("operator");
    this.more.hidden = true;
    if (!may("operator")) {
      this.table.empty = here.t.needs(here.t.roles.operator);
      this.table.fill([]);
      return;
    }
    const asked = new URLSearchParams({ from: "-1d", limit: PAGE, before });
    for (const kind of CHOICES[this.choice]) asked.append("kinds", kind);
    const told = await get(`journal/page?${asked}`).catch((problem) => ({ entries: [], rest: 0, problem }));
    if (turn !== this.turn || !$("commands-body")) return;
    this.table.empty = told.problem?.message ?? here.t.noCommands;
    this.entries = before ? [...this.entries, ...told.entries] : told.entries;
    this.rest = told.rest;
    this.draw();
  }

  draw() {
    this.more.hidden = !this.rest;
    const fits = (entry) => !this.words || `${outcome(entry)} ${wanted(entry)} ${entry.data.signal ?? ""} ${because(entry)} ${entry.who} ${entry.data.approver ?? ""}`.toLowerCase().includes(this.words);
    this.table.fill(this.entries.filter(fits));
  }

  leave() {
    this.turn += 1;
  }
}

function outcome(entry) {
  const { t } = here;
  return t.results[RESULTS[entry.kind]] ?? t.entryKinds[entry.kind] ?? entry.kind;
}

// what was wanted, in words
function wanted({ kind, data }) {
  const { t } = here;
  if (kind === "mode") return t.modes[data.what] ?? data.what;
  if (kind === "set-point") return `${data.loop}: ${data.set_point}`;
  if (kind === "clear") return signalName(data.what);
  if (data.value === undefined) return "–";
  return value(data.value, known.signals.get(data.signal)?.unit ?? "1");
}

function because({ kind, data }) {
  if (kind === "refusal") return `${rule(data.rule)} (${data.rule}) — ${say(data.reason)}`;
  if (kind === "kill" || kind === "hold") return data.what;
  return (data.signal ? say(data.reason) : data.reason) || (data.because ? said(data) : "");
}
