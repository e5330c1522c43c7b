// When the twin may be believed: what it forecast of the last shifts, and what then came.

import { ticks } from "../axis.js";
import { $, drawn, element, lettered, onResize } from "../dom.js";
import { clock, number, percent } from "../format.js";
import { assetName, at, get, here, known } from "../shell.js";

const MARKS = { valid: ["✓", "run"], unknown: ["◐", "idle"], drifting: ["◆", "idle"], invalid: ["■", "down"] };
const SHOWN = 12; // shifts
const HEIGHT = 230;
const BOX = { left: 58, right: 10, top: 12, bottom: 44 };
const AGAIN = 60000; // ms between two looks

export class Score {
  constructor() {
    this.asked = 0;
    onResize($("shifts"), () => this.draw());
  }

  async build() {
    const [twin] = Object.keys(known.lines);
    $("score").hidden = !twin;
    if (!twin) return;
    this.twin = twin;
    if (this.told) this.show();
    await this.ask();
  }

  tick() {
    if (this.twin && performance.now() - this.asked > AGAIN) this.ask();
  }

  async ask() {
    this.asked = performance.now();
    try {
      this.told = await get(`twins/${encodeURIComponent(this.twin)}/score?window=30d`);
    } catch (problem) {
      $("score-reason").textContent = `! ${problem.message}`;
      return;
    }
    this.show();
  }

  show() {
    const { t } = here;
    const { told } = this;
    const [mark, kind] = MARKS[told.validity.state];
    $("score-verdict").className = `chip ${kind}`;
    $("score-verdict").textContent = `${mark} ${t.validity[told.validity.state]}`;
    $("score-reason").textContent = t.validityWords[told.validity.state](told.shifts.length, told.wanted);
    const facts = [
      [t.coverage, told.coverage === null ? "–" : `${percent(told.coverage, t.locale)} %${told.coverage_low === null ? "" : ` (${percent(told.coverage_low, t.locale)} – ${percent(told.coverage_high, t.locale)})`}`],
      [t.crps, told.crps === null ? "–" : `${number(told.crps, t.locale, true)} ${t.annotations.part}`],
      [t.scoredShifts, number(told.shifts.length, t.locale)],
      ...(told.learnt ? [[t.calibrated, date(told.learnt)]] : []),
    ];
    $("score-facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
    $("drifting").replaceChildren(...told.drifts.map(drift));
    this.draw();
  }

  draw() {
    const ended = (this.told?.shifts ?? []).slice(-SHOWN);
    const shifts = this.told?.forecast ? [...ended, this.told.forecast] : ended;
    $("shifts").toggleAttribute("hidden", !shifts.length);
    $("shifts-words").textContent = shifts.length ? here.t.shiftsWords : here.t.noShift;
    if (shifts.length) chart($("shifts"), shifts);
  }
}

function date(text) {
  const form = { month: "numeric", day: "numeric", timeZone: here.factory.timezone };
  return new Date(Date.parse(text)).toLocaleDateString(here.t.locale, form);
}

function drift(each) {
  const { t } = here;
  const about = each.uncertainty === null ? "" : ` ± ${percent(each.uncertainty, t.locale)}`;
  const change = `${each.change > 0 ? "+" : "−"}${percent(Math.abs(each.change), t.locale)}${about} %`;
  return element("li", "", element("strong", "", `◆ ${assetName(each.asset)}`), ` ${t.drifts} ${change} · ${t.from(at(each.since))}`);
}

function chart(svg, shifts) {
  const { t } = here;
  const width = svg.clientWidth || 400;
  const box = { left: BOX.left, right: width - BOX.right, top: BOX.top, bottom: HEIGHT - BOX.bottom };
  const all = shifts.flatMap((shift) => [shift.low, shift.high, shift.made]).filter(Number.isFinite);
  const margin = (Math.max(...all) - Math.min(...all)) * 0.12 || 1;
  const [bottom, top] = [Math.min(...all) - margin, Math.max(...all) + margin];
  const step = (box.right - box.left) / shifts.length;
  const y = (value) => box.bottom - ((value - bottom) / (top - bottom)) * (box.bottom - box.top);
  const parts = [];
  for (const value of ticks(bottom, top, 4)) {
    parts.push(drawn("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }));
    parts.push(lettered("tick end", box.left - 8, y(value) + 5, number(value, t.locale)));
  }
  const every = Math.ceil(46 / step);
  shifts.forEach((shift, n) => {
    const x = box.left + (n + 0.5) * step;
    parts.push(shiftOf(shift, x, y));
    if (n % every) return;
    parts.push(lettered("tick middle", x, HEIGHT - 24, date(shift.start)));
    parts.push(lettered("tick middle", x, HEIGHT - 7, clock(Date.parse(shift.start), t.locale, here.factory.timezone, false)));
  });
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  svg.setAttribute("aria-label", t.shiftsWords);
  svg.replaceChildren(...parts);
}

function shiftOf(shift, x, y) {
  const { t } = here;
  const told = (value) => number(value, t.locale);
  const came = shift.made === null ? t.runsNow : `${t.actual} ${told(shift.made)}`;
  const words = `${date(shift.start)} ${at(shift.start, false)} – ${at(shift.end, false)}: ${t.forecast} ${told(shift.expected)} (${told(shift.low)} – ${told(shift.high)}), ${came}`;
  const parts = [
    drawn("title", {}, words),
    drawn("line", { class: "forecast", x1: x, x2: x, y1: y(shift.low), y2: y(shift.high) }),
    drawn("line", { class: "middle-mark", x1: x - 7, x2: x + 7, y1: y(shift.expected), y2: y(shift.expected) }),
  ];
  if (shift.made !== null) parts.push(spot(x, y(shift.made), shift.made >= shift.low && shift.made <= shift.high));
  return drawn("g", shift.made === null ? { class: "running" } : {}, ...parts);
}

function spot(x, y, inside) {
  if (inside) return drawn("circle", { class: "inside", cx: x, cy: y, r: 4.5 });
  return drawn("path", { class: "outside", d: `M${x} ${y - 7}L${x + 7} ${y}L${x} ${y + 7}L${x - 7} ${y}z` });
}
