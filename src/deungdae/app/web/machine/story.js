// What a machine did over a period: its states as a band, its stops as a table, its losses.

import { times } from "../axis.js";
import { $, drawn, element, lettered, onResize, put } from "../dom.js";
import { age, percent } from "../format.js";
import { Period } from "../period.js";
import { assetName, get, here, moment } from "../shell.js";
import { savable } from "../picture.js";
import { look } from "../states.js";
import { Table } from "../table.js";

const AGAIN = 60000; // ms between two looks at a period that lasts on; a long one is looked at less
const [TOP, BAND, FOOT] = [4, 46, 24]; // px
const HEIGHT = TOP + BAND + FOOT;
const LONGEST = 31 * 86400000; // ms that the API reckons with

export class Story {
  // told: called with each answer, or null where there is none
  constructor(asset, told) {
    Object.assign(this, { asset, told });
    this.turn = 0;
    onResize($("story-band"), () => this.draw());
  }

  async build() {
    $("machine-story").hidden = false;
    const before = this.period;
    this.period = new Period((period) => this.ask(period), undefined, { remembered: false });
    if (before) Object.assign(this.period, { chosen: before.chosen, from: before.from, to: before.to });
    this.saver?.remove();
    this.saver = savable($("story-band"), `states ${this.asset}`);
    $("story-period").replaceChildren(this.period.element);
    $("story-period").append(this.saver);
    this.makeTable();
    await this.period.start();
  }

  makeTable() {
    const { t } = here;
    this.table = new Table({
      name: `stops ${this.asset}`,
      label: t.stopsTitle,
      empty: t.noStops,
      columns: [
        { key: "start", title: t.stopStart, kind: "time" },
        { key: (stop) => (Date.parse(stop.end) - Date.parse(stop.start)) / 60000, title: t.stopLength, kind: "number", unit: "min", show: (stop) => length(stop) },
        { key: (stop) => lookOf(stop).label, title: t.stopState, show: (stop) => chip(stop) },
        { key: (stop) => stop.reasons.join(" · "), title: t.stopReason },
        { key: "person", title: t.stopWho },
      ],
    });
    $("story-stops").replaceChildren(this.table.element);
  }

  tick() {
    if (!this.period?.live || $("story-period").contains(document.activeElement)) return;
    const span = Date.parse(this.period.to) - Date.parse(this.period.from);
    if (performance.now() - this.asked > Math.max(AGAIN, span / 2000)) this.period.settle(this.period.chosen);
  }

  async ask({ from, to }) {
    this.asked = performance.now();
    const turn = ++this.turn;
    this.problem = "";
    this.busy(true);
    let answer = null;
    if (Date.parse(to) - Date.parse(from) > LONGEST) this.problem = here.t.tooLong;
    else {
      try {
        answer = await get(`assets/${encodeURIComponent(this.asset)}/story?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`);
      } catch (problem) {
        this.problem = problem.status === 404 ? here.t.noStory : problem instanceof TypeError ? here.t.failed : problem.message;
      }
    }
    if (turn !== this.turn) return;
    this.answer = answer;
    this.busy(false);
    this.draw();
    this.told(answer, this.problem);
    this.table.fill((answer?.stops ?? []).toReversed());
    $("story-stops").hidden = !answer;
  }

  // until the first answer has come nothing is said, and least of all that there is nothing
  busy(asking) {
    $("machine-story").setAttribute("aria-busy", asking);
    if (!asking || this.answer) return;
    $("story-stops").hidden = true;
    $("story-sums").replaceChildren(element("li", "quiet", here.t.loading));
    $("story-band").setAttribute("aria-label", here.t.bandSays(assetName(this.asset), here.t.loading));
  }

  leave() {
    this.turn++;
  }

  // ---- the band

  draw() {
    const svg = $("story-band");
    if (!svg || !this.period?.from) return;
    const { answer } = this;
    const width = svg.clientWidth || 800;
    const from = Date.parse(this.period.from);
    const to = Math.max(Date.parse(this.period.to), from + 1);
    const x = (ms) => ((Math.min(Math.max(ms, from), to) - from) / (to - from)) * width;
    const asking = $("machine-story").getAttribute("aria-busy") === "true" && !answer;
    const parts = asking ? [] : [pattern(), drawn("rect", { class: "unknown", fill: "url(#story-hatch)", x: 0, y: TOP, width, height: BAND })];
    if (answer) parts.push(...this.blocks(answer, x));
    for (const each of times(from, to, Math.floor(width / 80), here.t.locale, here.factory.timezone)) {
      const place = x(each.ms);
      parts.push(drawn("line", { class: each.day ? "midnight" : "mark", x1: place, x2: place, y1: TOP + BAND, y2: TOP + BAND + 5 }));
      if (place > 20 && place < width - 20) parts.push(lettered(`middle ${each.day ? "day" : ""}`, place, HEIGHT - 4, each.words));
    }
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("height", HEIGHT);
    svg.replaceChildren(...parts);
    if (!asking) this.sum(answer);
  }

  blocks({ from, to, time, state, category, working }, x) {
    const base = Date.parse(from);
    const end = Date.parse(to);
    const parts = [];
    time.forEach((ms, n) => {
      const [since, until] = [base + ms, n + 1 < time.length ? base + time[n + 1] : end];
      const [left, right] = [x(since), x(until)];
      if (category[n] === "unknown" || right - left < 0.2) return;
      const { kind, label, mark } = lookOf({ state: state[n], category: category[n] });
      const planned = !working[n] && category[n] !== "production" ? ` · ${here.t.plannedStop}` : "";
      const words = `${label}${planned}: ${moment(new Date(since).toISOString())} – ${moment(new Date(until).toISOString())}`;
      const block = drawn("rect", { class: `block ${kind} ${working[n] ? "" : "unplanned"}`, x: left, y: TOP, width: Math.max(right - left, 0.6), height: BAND }, drawn("title", {}, words));
      parts.push(block);
      if (right - left > 70) parts.push(lettered(`words ${kind}`, left + 8, TOP + BAND / 2 + 5, `${mark} ${label}`.slice(0, Math.floor((right - left - 12) / 10))));
    });
    return parts;
  }

  // how long each state was, longest first
  sum(answer) {
    const sums = new Map();
    (answer?.time ?? []).forEach((ms, n) => {
      const until = n + 1 < answer.time.length ? answer.time[n + 1] : Date.parse(answer.to) - Date.parse(answer.from);
      const shown = lookOf({ state: answer.state[n], category: answer.category[n] });
      const key = `${shown.mark} ${shown.label}`;
      const sum = sums.get(key) ?? { shown, ms: 0 };
      sum.ms += until - ms;
      sums.set(key, sum);
    });
    const whole = [...sums.values()].reduce((all, each) => all + each.ms, 0) || 1;
    const told = [...sums].sort((a, b) => b[1].ms - a[1].ms).slice(0, 10);
    const words = told.map(([name, { ms }]) => `${name} ${age(ms / 1000, here.t.units)} (${percent((100 * ms) / whole, here.t.locale)} %)`);
    $("story-sums").replaceChildren(...told.map(([, { shown }], n) => element("li", `chip ${shown.kind}`, words[n])));
    if (this.problem) $("story-sums").replaceChildren(element("li", "quiet", this.problem));
    $("story-band").setAttribute("aria-label", here.t.bandSays(assetName(this.asset), words.join(", ") || this.problem));
  }
}

// a state of a story as people see it: what the category says of it holds where the word is not known
function lookOf({ state, category }) {
  if (category === "unknown" && state === "unknown") return look(undefined);
  const shown = look([state, null, 0]);
  if (shown.kind !== "other") return shown;
  const kinds = { production: "run", idle: "idle", delay: "hold", setup: "hold", maintenance: "hold", failure: "down", repair: "down", planned: "off", unknown: "none" };
  return { ...shown, kind: kinds[category] ?? "other" };
}

function chip(stop) {
  const { t } = here;
  const { kind, mark, label } = lookOf(stop);
  return [element("span", `chip ${kind}`, `${mark} ${label}`), ...(stop.seconds === 0 && stop.category !== "unknown" ? [element("span", "quiet", ` ${t.plannedStop}`)] : []), ...(stop.open ? [element("span", "quiet", ` ${t.openStop}`)] : [])];
}

function length(stop) {
  return age((Date.parse(stop.end) - Date.parse(stop.start)) / 1000, here.t.units);
}

function pattern() {
  return drawn("defs", {}, drawn("pattern", { id: "story-hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, drawn("line", { class: "hatching", x1: 0, x2: 0, y1: 0, y2: 8 })));
}
