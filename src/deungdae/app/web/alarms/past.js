// What became of alarms, and what people did with them.

import { element } from "../dom.js";
import { Period } from "../period.js";
import { PRIORITIES, badge } from "../priority.js";
import { assetName, get, here, known, moment, nameOf } from "../shell.js";
import { Table } from "../table.js";

const MOST = 5000;

export class Past {
  constructor() {
    const { t } = here;
    const columns = [
      { key: "time", title: t.time, kind: "time", show: (step) => moment(step.time, true) },
      { key: (step) => PRIORITIES.indexOf(step.priority), title: t.priority, show: (step) => badge(step.priority) },
      { key: machine, title: t.machineOf },
      { key: (step) => [name(step), step.text].filter(Boolean).join(" — "), title: t.alarm },
      { key: (step) => t.steps[step.what] ?? step.what, title: t.whatHappened },
      { key: "person", title: t.who },
      { key: "note", title: t.reason },
    ];
    this.table = new Table({ name: t.tabs.past, empty: t.nothingThen, columns });
    this.period = new Period((period) => this.read(period), ["today", "yesterday", "week", "month", "own"]);
    this.search = element("input");
    this.search.type = "search";
    this.search.placeholder = t.search;
    this.search.setAttribute("aria-label", t.search);
    this.search.addEventListener("input", () => this.draw());
    this.more = element("p", "quiet");
    this.element = element("div", "", this.period.element, element("div", "filters", this.search), this.table.element, this.more);
    this.steps = [];
    this.turn = 0;
  }

  start() {
    this.period.start();
  }

  async read({ from, to }) {
    const turn = ++this.turn;
    this.element.setAttribute("aria-busy", "true");
    const asked = new URLSearchParams({ from, to, limit: MOST });
    const told = await get(`alarms/history?${asked}`).catch((problem) => ({ steps: [], more: 0, problem }));
    if (turn !== this.turn) return;
    this.element.removeAttribute("aria-busy");
    this.steps = told.steps;
    this.more.textContent = told.problem ? told.problem.message : told.more ? here.t.leftOut(told.more) : "";
    this.draw();
  }

  draw() {
    const words = this.search.value.toLowerCase();
    this.table.fill(this.steps.filter((step) => !words || `${step.alarm} ${name(step)} ${step.text} ${step.person} ${step.note} ${machine(step)}`.toLowerCase().includes(words)));
  }

  leave() {
    this.turn += 1;
  }
}

function base(step) {
  return step.alarm.split(":")[0];
}

export function name(step) {
  const last = base(step).slice(base(step).lastIndexOf(".") + 1);
  if (last === "offline") return here.t.doorOffline;
  return known.signals.has(base(step)) ? nameOf(base(step)) : (here.t.findings[last] ?? last);
}

export function machine(step) {
  const asset = base(step).slice(0, base(step).lastIndexOf("."));
  if (asset.startsWith("machines.")) return here.t.doorOf(asset.slice("machines.".length));
  const known = assetName(asset);
  return known === asset && asset.includes(".") ? assetName(asset.slice(0, asset.lastIndexOf("."))) : known;
}
