// How good the alarm system is, against the figures of ISA-18.2 and IEC 62682.

import { drawn, element, lettered, onResize } from "../dom.js";
import { clock, day, number } from "../format.js";
import { Period } from "../period.js";
import { savable } from "../picture.js";
import { PRIORITIES, badge } from "../priority.js";
import { get, here, moment, unitOf } from "../shell.js";
import { Table } from "../table.js";
import { machine, name } from "./past.js";

const VERDICTS = { good: ["✓", "run"], manageable: ["◐", "idle"], too_much: ["✕", "down"] };
const AIMS = { low: 80, medium: 15, high: 5, critical: 0 }; // % of all; high and critical together 5
const HEIGHT = 190;

export class Figures {
  constructor() {
    const { t } = here;
    const figures = [
      { key: (figure) => t.figures[figure.name], title: t.figure },
      { key: "value", title: t.value, kind: "number", show: (figure) => `${number(figure.value, t.locale)} ${unitOf(figure.unit)}` },
      { key: "good", title: t.acceptable, kind: "number", show: (figure) => `≤ ${number(figure.good, t.locale)}` },
      { key: "most", title: t.manageable, kind: "number", show: (figure) => `≤ ${number(figure.most, t.locale)}` },
      { key: (figure) => t.verdicts[figure.verdict], title: t.verdict, show: verdict },
    ];
    const actors = [
      { key: (actor) => machine(actor), title: t.machineOf },
      { key: (actor) => [name(actor), actor.text].filter(Boolean).join(" — "), title: t.alarm },
      { key: (actor) => PRIORITIES.indexOf(actor.priority), title: t.priority, show: (actor) => badge(actor.priority) },
      { key: "count", title: t.times, kind: "number" },
      { key: "share", title: t.share, unit: "%", kind: "number" },
      { key: (actor) => (actor.chatters ? t.chatters : ""), title: t.remark },
    ];
    this.figures = new Table({ name: t.tabs.figures, label: t.tabs.figures, columns: figures });
    this.actors = new Table({ name: t.badActors, label: t.badActors, columns: actors, empty: t.nothingThen });
    this.period = new Period((period) => this.read(period), ["week", "month", "today", "yesterday", "own"]);
    this.chart = drawn("svg", { class: "chart rate", role: "img" });
    this.shares = element("dl", "shares");
    this.stale = element("p", "");
    this.wrong = element("p", "notice");
    const chart = element("div", "", element("div", "head", element("h3", "", t.rateTitle), element("span", "push"), savable(this.chart, t.rateTitle)), this.chart);
    this.element = element("div", "", this.period.element, this.wrong, element("div", "pair", element("div", "", element("h3", "", t.figuresTitle), this.figures.element, element("p", "quiet", t.standard)), element("div", "", chart, element("h3", "", t.sharesTitle), this.shares)), element("h3", "", t.badActors), this.actors.element, this.stale);
    this.turn = 0;
    onResize(this.chart, () => this.told && this.draw());
  }

  start() {
    this.period.start();
  }

  async read({ from, to }) {
    const turn = ++this.turn;
    const told = await get(`alarms/performance?${new URLSearchParams({ from, to })}`).catch((problem) => ({ problem }));
    if (turn !== this.turn) return;
    this.wrong.textContent = told.problem?.message ?? "";
    if (told.problem) return;
    this.told = told;
    this.figures.fill(told.figures);
    this.actors.fill(told.actors);
    this.stale.textContent = told.stale.length ? here.t.staleOnes(told.stale.length, told.stale.map((alarm) => name({ alarm })).slice(0, 10).join(", ")) : "";
    this.shares.replaceChildren(...PRIORITIES.flatMap((each) => share(each, told.priorities[each])));
    this.draw();
  }

  draw() {
    const { t } = here;
    const { rate, every, floods, start, end, told } = this.told;
    const width = this.chart.clientWidth || 600;
    const [left, right, top, bottom] = [44, width - 8, 10, HEIGHT - 24];
    const [from, to] = [Date.parse(start), Date.parse(end)];
    const most = Math.max(...rate, 1);
    const x = (ms) => left + ((ms - from) / (to - from)) * (right - left);
    const y = (n) => bottom - (n / most) * (bottom - top);
    const parts = [0, most].flatMap((n) => [drawn("line", { class: "grid", x1: left, x2: right, y1: y(n), y2: y(n) }), lettered("end", left - 6, y(n) + 5, number(n, t.locale))]);
    for (const [a, b] of floods) parts.push(drawn("rect", { class: "flooded", x: x(Date.parse(a)), y: top, width: Math.max(2, x(Date.parse(b)) - x(Date.parse(a))), height: bottom - top }));
    rate.forEach((n, place) => {
      const begin = x(from + place * every * 1000);
      const step = Math.max(1, x(Math.min(to, from + (place + 1) * every * 1000)) - begin - 1);
      if (n) parts.push(drawn("rect", { class: "bin", x: begin, y: y(n), width: step, height: bottom - y(n) }));
    });
    const form = to - from > 2 * 86400000 ? day : clock;
    for (const share of [0, 0.5, 1]) parts.push(lettered(["start", "middle", "end"][share * 2], x(from + share * (to - from)), HEIGHT - 5, form(from + share * (to - from), t.locale, here.factory.timezone, false)));
    this.chart.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.chart.setAttribute("height", HEIGHT);
    this.chart.setAttribute("aria-label", t.rateWords(told, most, floods.length, `${moment(start)} – ${moment(end)}`));
    this.chart.replaceChildren(...parts);
  }

  leave() {
    this.turn += 1;
  }
}

function verdict(figure) {
  const [shape, kind] = VERDICTS[figure.verdict];
  return element("span", `chip ${kind}`, `${shape} ${here.t.verdicts[figure.verdict]}`);
}

function share(priority, value) {
  const { t } = here;
  const bar = element("span", `share ${priority}`);
  bar.style.width = `${Math.max(0, Math.min(100, value))}%`;
  return [element("dt", "", badge(priority)), element("dd", "", element("span", "track", bar), element("span", "figure", `${number(value, t.locale)} %`), element("span", "quiet", priority === "critical" ? "" : t.aim(AIMS[priority])))];
}
