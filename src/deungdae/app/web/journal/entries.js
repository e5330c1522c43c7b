// The entries, page by page, in words; each can be opened to what is written there.

import { $, button, element } from "../dom.js";
import { number } from "../format.js";
import { Period } from "../period.js";
import { say } from "../said.js";
import { get, here, moment, send } from "../shell.js";
import { Table } from "../table.js";
import { GROUPS, kindOf, said, who } from "./say.js";

const PAGE = 200;
const PAUSE = 300; // ms after the last key until a search is begun

export class Journal {
  constructor() {
    $("journal-verify").addEventListener("click", () => this.verify());
    this.entries = [];
    this.rest = 0;
    this.turn = 0;
    this.wanted = { group: "", who: "", text: "" };
    this.waiting = 0;
  }

  build() {
    const { t } = here;
    const columns = [
      { key: "n", title: t.number, kind: "number", show: (entry) => String(entry.n) },
      { key: "time", title: t.time, kind: "time", show: (entry) => moment(entry.time, true) },
      { key: kindOf, title: t.kind },
      { key: (entry) => who(entry), title: t.who },
      { key: said, title: t.what, show: (entry) => [element("span", "", said(entry)), details(entry)] },
    ];
    this.table = new Table({ name: t.journal, columns, empty: t.noEntries });
    this.period = new Period(() => this.read(), ["today", "yesterday", "week", "month", "own"]);
    this.more = button("", t.older, () => this.read(this.rest));
    $("journal-body").replaceChildren(this.period.element, this.filters(), this.table.element, this.more);
    this.period.start();
  }

  filters() {
    const { t } = here;
    const groups = element("select", "", option("", t.anyKind), ...Object.keys(GROUPS).map((name) => option(name, t.groups[name])));
    groups.value = this.wanted.group;
    groups.setAttribute("aria-label", t.kind);
    groups.addEventListener("change", () => this.narrow({ group: groups.value }));
    this.people = element("input");
    this.people.setAttribute("list", "journal-people");
    this.people.placeholder = t.anybody;
    this.people.value = this.wanted.who;
    this.people.setAttribute("aria-label", t.who);
    this.people.addEventListener("change", () => this.narrow({ who: this.people.value.trim() }));
    this.names = element("datalist");
    this.names.id = "journal-people";
    const search = element("input");
    search.type = "search";
    search.placeholder = t.searchEntries;
    search.value = this.wanted.text;
    search.setAttribute("aria-label", t.searchEntries);
    search.addEventListener("input", () => this.later({ text: search.value.trim() }));
    return element("div", "filters", groups, this.people, this.names, search);
  }

  later(part) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.narrow(part), PAUSE);
  }

  narrow(part) {
    Object.assign(this.wanted, part);
    this.read();
  }

  async read(before = 0) {
    const turn = ++this.turn;
    const { group, who: person, text } = this.wanted;
    const asked = new URLSearchParams({ from: this.period.from, to: this.period.to, limit: PAGE, before, who: person, text });
    for (const kind of GROUPS[group] ?? []) asked.append("kinds", kind);
    this.more.disabled = true;
    const told = await get(`journal/page?${asked}`).catch((problem) => ({ entries: [], rest: 0, problem }));
    if (turn !== this.turn || !$("journal-body")) return;
    this.table.empty = told.problem?.message ?? here.t.noEntries;
    this.entries = before ? [...this.entries, ...told.entries] : told.entries;
    this.rest = told.rest;
    this.more.disabled = false;
    this.more.hidden = !this.rest;
    this.table.shown = Math.max(this.table.shown, this.entries.length);
    this.table.fill(this.entries);
    const names = new Set([...this.names.children].map((each) => each.value));
    for (const entry of told.entries) if (entry.who && !names.has(entry.who)) names.add(entry.who);
    this.names.replaceChildren(...[...names].sort().slice(0, 200).map((name) => option(name, "")));
  }

  async verify() {
    const { t } = here;
    $("journal-verify").disabled = true;
    $("journal-chain").className = "";
    $("journal-chain").textContent = t.verifying;
    try {
      const told = await send("journal/verify", {});
      if (!$("journal-chain")) return;
      $("journal-chain").className = told.whole ? "whole" : "broken";
      $("journal-chain").textContent = told.whole ? t.whole(number(told.seconds, t.locale), told.head.slice(0, 16)) : t.broken(say(told.problem));
    } catch (problem) {
      $("journal-chain").className = "broken";
      $("journal-chain").textContent = problem instanceof TypeError ? t.failed : problem.message;
    }
    $("journal-verify").disabled = false;
  }

  leave() {
    this.turn += 1;
    clearTimeout(this.waiting);
  }
}

// all that is written in an entry, for who wants to know exactly
function details(entry) {
  const { t } = here;
  const made = element("details", "raw", element("summary", "", t.details));
  made.addEventListener("toggle", () => {
    if (!made.open || made.children.length > 1) return;
    const plain = { n: entry.n, time: entry.time, kind: entry.kind, who: entry.who, data: entry.data, previous: entry.previous, hash: entry.hash };
    const text = element("pre", "", JSON.stringify(plain, null, 2));
    text.tabIndex = 0;
    made.append(text);
  });
  return made;
}

function option(value, words) {
  const made = element("option", "", words);
  made.value = value;
  return made;
}
