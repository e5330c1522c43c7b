// What would happen if: sliders for what can be changed, answered while they are dragged.

import { $, button, drawn, element, lettered } from "../dom.js";
import { number, percent } from "../format.js";
import { assetName, get, here, known, send, unitOf } from "../shell.js";

const QUIET = 150; // ms without a move before the twin is asked
const HORIZONS = [3600, 8 * 3600, 24 * 3600, 7 * 24 * 3600]; // s
const REPLICATIONS = [20, 50, 200, 500];
const LONG = 24 * 3600; // s, of a look at a line that has run in
const SHIFT = 30; // % by which times can be shifted, down and up
const KINDS = ["cycle", "capacity", "repair", "crew"];
// how each measure is shown: times what, in which unit, after UCUM or as a word of ours
const MEASURES = {
  throughput: [1, "{part}/h"],
  lead_time: [1 / 60, "min"],
  wip: [1, "{part}"],
  energy_per_part: [1, "kW.h"],
  scrap: [100, "%"],
  service: [100, "%"],
};
const VERDICTS = { better: "▲", worse: "▼", same: "=", unknown: "◐" };
const WIDTH = 420;

export class WhatIf {
  constructor() {
    this.moved = new Map(); // what a person has changed: lever's target -> number
    this.answer = null;
    this.asking = false; // a question is under way
    this.again = false; // something was changed since it was asked
    $("levers").addEventListener("submit", (event) => event.preventDefault());
    $("reset").addEventListener("click", () => this.reset());
    for (const place of ["begin", "horizon", "replications"]) $(place).addEventListener("change", () => this.ask());
  }

  async build() {
    const [twin] = Object.keys(known.lines);
    $("whatif").hidden = !twin;
    if (!twin) return;
    this.twin = twin;
    const informed = knows(known.twins[twin]);
    options($("begin"), ["now", "steady"], informed ? "now" : "steady", (word) => here.t.begins[word]);
    options($("horizon"), HORIZONS, 8 * 3600, (seconds) => here.t.hours(seconds / 3600));
    options($("replications"), REPLICATIONS, informed ? 200 : 50, String); // to run in takes its time
    this.levers ??= await get(`twins/${encodeURIComponent(twin)}/levers`).catch((problem) => this.fail(problem));
    if (!this.levers) return;
    this.offer();
    if (this.answer) this.show();
    else this.ask();
  }

  offer() {
    const groups = KINDS.map((kind) => [kind, this.levers.filter((lever) => lever.kind === kind)]).filter(([, levers]) => levers.length);
    $("levers").replaceChildren(
      ...groups.map(([kind, levers]) => element("fieldset", "", element("legend", "", here.t.levers[kind]), ...levers.map((lever) => this.lever(lever)))),
    );
  }

  lever(lever) {
    const input = element("input");
    input.type = "range";
    Object.assign(input, range(lever));
    input.value = this.moved.get(lever.target) ?? neutral(lever);
    input.name = lever.target;
    const output = element("output");
    const made = element("label", "lever", element("span", "", titleOf(lever)), input, output);
    const tell = () => {
      const value = Number(input.value);
      output.textContent = spoken(lever, value);
      input.setAttribute("aria-valuetext", output.textContent);
      made.classList.toggle("moved", value !== neutral(lever));
    };
    input.addEventListener("input", () => {
      const value = Number(input.value);
      if (value === neutral(lever)) this.moved.delete(lever.target);
      else this.moved.set(lever.target, value);
      tell();
      this.soon();
    });
    tell();
    return made;
  }

  reset() {
    this.moved.clear();
    this.offer();
    this.ask();
  }

  soon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.ask(), QUIET);
  }

  // one question at a time: what was changed meanwhile is asked next
  async ask() {
    clearTimeout(this.waiting);
    this.again = this.asking;
    if (this.asking) return;
    this.asking = true;
    $("whatif").classList.add("busy");
    $("asking").textContent = here.t.asking;
    const moved = this.levers.filter((lever) => this.moved.has(lever.target));
    const changes = Object.fromEntries(moved.map((lever) => [lever.target, written(lever, this.moved.get(lever.target))]));
    const question = { changes, begin: $("begin").value, horizon: Number($("horizon").value), replications: Number($("replications").value) };
    try {
      this.answer = await send(`twins/${encodeURIComponent(this.twin)}/whatif`, question);
      this.show();
    } catch (problem) {
      this.fail(problem);
    }
    this.asking = false;
    $("whatif").classList.remove("busy");
    if (this.again) this.ask();
  }

  fail(problem) {
    $("asking").textContent = `! ${problem.message}`;
  }

  show() {
    const { t } = here;
    const { result: told, seconds, begin } = this.answer;
    $("asking").textContent = `${t.beginsAt[begin]} ${t.answered(told.replications, number(seconds, t.locale))}`;
    const measures = Object.keys(MEASURES).filter((name) => told.measures[name]);
    $("too-soon").replaceChildren(...(same(told) || begin !== "now" ? [] : this.tooSoon(told.horizon)));
    $("results").replaceChildren(...measures.map((name) => result(name, told.measures[name], same(told))), bottleneck(told, same(told)));
  }

  // a part that is longer on its way than what was tried shows little of a change: say so
  tooSoon(horizon) {
    const { t } = here;
    const way = this.levers.filter((lever) => lever.kind === "cycle").reduce((sum, lever) => sum + lever.value, 0);
    if (way <= horizon) return [];
    const steady = () => {
      $("begin").value = "steady";
      $("horizon").value = LONG;
      $("replications").value = 50; // to run in takes its time
      this.ask();
    };
    return [element("span", "", t.tooSoon(number(Math.round(way / 3600), t.locale))), button("", t.lookSteady, steady)];
  }
}

function same(told) {
  return !told.changes.length;
}

// whether the twin knows what waits where; if not it cannot begin from the present
function knows(twin) {
  return Boolean(twin) && Object.values(twin.buffers).every((level) => level !== null);
}

function options(place, values, chosen, words) {
  const before = place.value || String(chosen);
  place.replaceChildren(
    ...values.map((value) => {
      const made = element("option", "", words(value));
      made.value = value;
      return made;
    }),
  );
  place.value = before;
}

// ---- levers: times are shifted by a percentage, numbers are given

function isShift(lever) {
  return lever.kind === "cycle" || lever.kind === "repair";
}

function neutral(lever) {
  return isShift(lever) ? 0 : lever.value;
}

function range(lever) {
  if (isShift(lever)) return { min: -SHIFT, max: SHIFT, step: 1 };
  const most = lever.kind === "crew" ? lever.value + 4 : Math.max(lever.value * 2, 10);
  return { min: lever.kind === "crew" ? Math.min(1, lever.value) : 0, max: most, step: 1 };
}

function written(lever, value) {
  return isShift(lever) ? `${value > 0 ? "+" : ""}${value}%` : String(value);
}

function spoken(lever, value) {
  const { t } = here;
  if (!isShift(lever)) return `${number(value, t.locale)} ${lever.kind === "crew" ? t.people : t.annotations.part}`;
  const sign = value > 0 ? "+" : value < 0 ? "−" : "±";
  return `${sign}${Math.abs(value)} % · ${lasting(lever.value * (1 + value / 100))}`;
}

function lasting(seconds) {
  const { units, locale } = here.t;
  if (seconds < 120) return `${number(seconds, locale, true)} ${units.s}`;
  if (seconds < 7200) return `${number(seconds / 60, locale, true)} ${units.min}`;
  return `${number(seconds / 3600, locale, true)} ${units.h}`;
}

function titleOf(lever) {
  return lever.asset ? assetName(lever.asset) : lever.name;
}

// ---- answers

function result(name, { base, changed, difference, verdict, needed }, same) {
  const { t } = here;
  const [times, code] = MEASURES[name];
  const unit = code === "min" ? t.units.min : unitOf(code);
  const shown = (value) => number(value * times, t.locale, value !== 0);
  const about = [unit, `95 % ${shown(changed.low)} – ${shown(changed.high)}`, ...(same ? [] : [`${t.before} ${shown(base.mean)}`])];
  const value = element("p", "then", shown(changed.mean), " ", element("small", "", about.join(" · ")));
  const parts = [element("h3", "", t.figures[name]), value];
  if (!same) parts.push(...told(difference, verdict, needed, times, unit));
  return element("div", `result ${name === "throughput" ? "" : "minor"}`, ...parts);
}

function told({ mean, low, high }, verdict, needed, times, unit) {
  const { t } = here;
  const sign = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value * times), t.locale, true)}`;
  const words = element("p", `verdict ${verdict}`, `${VERDICTS[verdict]} ${t.differences[verdict]}`);
  if (verdict === "same") return [words];
  words.append(`: ${sign(mean)} ${unit} (95 % ${sign(low)} … ${sign(high)})`);
  const more = verdict === "unknown" && needed ? [element("p", "quiet", t.needed(number(needed, t.locale)))] : [];
  return [words, span(verdict, mean, low, high), ...more];
}

// the interval of a difference beside zero
function span(kind, mean, low, high) {
  const most = Math.max(Math.abs(low), Math.abs(high)) * 1.15 || 1;
  const x = (value) => WIDTH / 2 + (value / most) * (WIDTH / 2 - 8);
  return drawn(
    "svg",
    { class: `difference ${kind}`, viewBox: `0 0 ${WIDTH} 22`, height: 22, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" },
    drawn("line", { class: "axis", x1: 4, x2: WIDTH - 4, y1: 11, y2: 11 }),
    drawn("line", { class: "zero", x1: x(0), x2: x(0), y1: 1, y2: 21 }),
    lettered("", x(0) + 4, 21, "0"),
    drawn("line", { class: "span", x1: x(low), x2: x(high), y1: 11, y2: 11 }),
    drawn("circle", { class: "mean", cx: x(mean), cy: 11, r: 5.5 }),
  );
}

function bottleneck(told, same) {
  const { t } = here;
  const { station, shares } = told.changed_bottleneck;
  const before = told.bottleneck.station;
  const words = same || before === station ? stationName(station) : `${stationName(before)} → ${stationName(station)}`;
  const most = Object.entries(shares).sort(([, a], [, b]) => b - a).slice(0, 4).filter(([, share]) => share > 0);
  const rows = most.flatMap(([name, share], n) => {
    const full = element("span");
    full.style.width = `${share * 100}%`;
    return [element("span", n ? "" : "first", stationName(name)), element("div", "share", full), element("span", "", `${percent(share * 100, t.locale)} %`)];
  });
  return element("div", "result minor", element("h3", "", t.bottleneck), element("p", "then", words), element("div", "shares", ...rows));
}

function stationName(name) {
  const station = Object.values(known.lines).flatMap((line) => line.stations).find((each) => each.name === name);
  return assetName(station?.asset ?? name);
}
