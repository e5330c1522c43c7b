// Good parts so far against what was planned, through the shift.

import { $, drawn, element, lettered, onResize } from "../dom.js";
import { tickWords, ticks, times } from "../axis.js";
import { savable } from "../picture.js";
import { assetName, here } from "../shell.js";
import { fitting, frame, hatching, many, share } from "./say.js";

const HEIGHT = 230;
const ROW = 44;

export class Plan {
  constructor() {
    onResize($("plan-chart"), () => this.draw());
  }

  build() {
    $("plan-tools").replaceChildren(savable($("plan-chart"), here.t.planTitle));
  }

  show({ told, shown, running }) {
    const { t } = here;
    this.told = told;
    this.one = shown.length === 1 ? shown[0] : null;
    this.counted = shown.filter((machine) => machine.counts.good !== null);
    const drawable = this.one ? this.one.curve.length || this.one.plan.length : this.counted.length;
    for (const id of ["plan-chart", "plan-tools"]) $(id).toggleAttribute("hidden", !drawable);
    $("plan-figures").toggleAttribute("hidden", !this.one);
    if (!this.one) {
      $("plan-words").textContent = this.counted.length ? t.pickForPlan : t.noCount;
      this.draw();
      return;
    }
    const { good, scrap, due, target, basis } = this.one.counts;
    const attained = good !== null && due ? share((100 * good) / due) : "–";
    const facts = [[t.good, many(good)], [t.scrap, many(scrap)], [running ? t.due : t.dueEnded, many(due)], [t.attained, attained]];
    $("plan-figures").replaceChildren(...facts.map(([name, value]) => element("div", "tile", element("p", "label", name), element("p", "figure", value))));
    const words = basis ? t.basis[basis](many(target)) : t.basis[""];
    $("plan-words").textContent = good === null ? `${t.noCount} ${words}` : words;
    this.draw();
  }

  draw() {
    if (this.one) this.curve();
    else if (this.counted?.length) this.rows();
  }

  // of several machines: the good parts of each beside what it should have made by now
  rows() {
    const { t } = here;
    const svg = $("plan-chart");
    const width = svg.clientWidth || 400;
    const parts = [];
    const told = [];
    this.counted.forEach((machine, n) => {
      const { good, due } = machine.counts;
      const top = n * ROW;
      const figure = due ? `${many(good)} / ${many(due)} · ${share((100 * good) / due)}` : many(good);
      const most = Math.max(due ?? 0, good, 1);
      parts.push(lettered("name", 0, top + 15, fitting(assetName(machine.asset), width - figure.length * 9)));
      parts.push(lettered("figure end", width - 2, top + 15, figure));
      parts.push(drawn("rect", { class: "bar-of planned-time", x: 0, y: top + 21, width: due ? ((width - 2) * due) / most : 0, height: 14, rx: 3 }));
      parts.push(drawn("rect", { class: "bar-of effective", x: 0, y: top + 21, width: ((width - 2) * good) / most, height: 14, rx: 3 }));
      told.push(`${assetName(machine.asset)} ${figure}`);
    });
    frame(svg, width, this.counted.length * ROW, t.says(t.planTitle, told.join(", ")), parts);
  }

  curve() {
    if (!this.one.curve.length && !this.one.plan.length) return;
    const { t, factory } = here;
    const { curve, plan, ribbon, counts } = this.one;
    const svg = $("plan-chart");
    const width = svg.clientWidth || 400;
    const box = { left: 52, right: width - 8, top: 10, bottom: HEIGHT - 26 };
    const [from, to] = [Date.parse(this.told.start), Date.parse(this.told.until)];
    const most = Math.max(...curve.map((point) => point[1]), ...plan.map((point) => point[1]), 1) * 1.05;
    const x = (ms) => box.left + ((ms - from) / (to - from)) * (box.right - box.left);
    const y = (value) => box.bottom - (value / most) * (box.bottom - box.top);
    const parts = [hatching("plan-hatch")];
    for (const [start, end, kind] of ribbon) {
      if (kind !== "unknown") continue;
      const [a, b] = [x(Date.parse(start)), x(Date.parse(end))];
      parts.push(drawn("rect", { class: "bar-of unknown", x: a, y: box.top, width: b - a, height: box.bottom - box.top }, drawn("title", {}, t.kinds.unknown)));
    }
    const steps = ticks(0, most, 4);
    for (const value of steps) {
      parts.push(drawn("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }));
      parts.push(lettered("tick end", box.left - 8, y(value) + 5, tickWords(value, steps, t.locale)));
    }
    for (const { ms, words } of times(from, to, width / 90, t.locale, factory.timezone)) {
      if (x(ms) > box.right - 16) continue;
      parts.push(lettered("tick middle", Math.max(x(ms), box.left), HEIGHT - 6, words));
    }
    const path = (points) => points.map(([time, value], n) => `${n ? "L" : "M"}${x(Date.parse(time)).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    if (plan.length) parts.push(drawn("path", { class: "target", d: path(plan) }));
    if (plan.length) parts.push(lettered("target-label end", box.right - 4, Math.max(y(plan.at(-1)[1]) - 8, 14), t.planLine));
    if (curve.length) {
      const last = curve.at(-1);
      parts.push(drawn("path", { class: "line", d: path(curve) }));
      parts.push(drawn("circle", { class: "point", cx: x(Date.parse(last[0])), cy: y(last[1]), r: 4 }));
    }
    frame(svg, width, HEIGHT, t.says(t.planTitle, t.planSays(many(counts.good), many(counts.due))), parts);
  }
}
