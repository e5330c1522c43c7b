// What a trend chart draws: panes of curves over one time axis, a lane of events, a strip of the whole.

import { tickWords, ticks, times } from "./axis.js";
import { drawn, lettered } from "./dom.js";
import { here, now, unitOf } from "./shell.js";
import { look } from "./states.js";

const [LEFT, RIGHT] = [68, 14];
const [HEAD, FOOT, LANE, STRIP] = [22, 26, 24, 44]; // px: above a pane, the time axis, a lane, the strip
const BETWEEN = 10;
const LEAST = 90; // px of a pane
const APART = 14; // px between two marks of what is not good
const GROUP = 34; // px between two marks of events
const FEW = 12; // marks of events; of more only the pointer says where in the panes they were
const NEAR = 7; // px within which an event is told
const SHAPES = [ // of a signal's marks, so that it is known without its colour
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  "M-3.6-3.6h7.2v7.2h-7.2z",
  "M0-4.6L4.6 3.6h-9.2z",
  "M0-5L5 0L0 5L-5 0z",
  "M-4.6-3.6h9.2L0 4.6z",
  "M-4-1.500h2.500v-2.500h3v2.500h2.500v3h-2.500v2.500h-3v-2.500h-2.500z",
];
const GLYPHS = { alarm: "▲", note: "✎", order: "▣" };

let made = 0; // drawings: their ids of patterns differ

export class Drawing {
  constructor(svg, strip, chart) {
    Object.assign(this, { svg, strip, chart });
    this.id = `trend-${++made}`;
    this.crossing = drawn("g", { class: "cross" });
    this.panes = [];
  }

  leave() {
    this.svg.replaceChildren();
    this.strip.replaceChildren();
  }

  get width() {
    return this.svg.clientWidth || 800;
  }

  get box() {
    return { left: LEFT, right: this.width - RIGHT };
  }

  x(ms) {
    const { from, to } = this.chart.window;
    const { left, right } = this.box;
    return left + ((ms - from) / (to - from)) * (right - left);
  }

  // the moment at a pointer, within the period
  msAt(event) {
    const { from, to } = this.chart.window;
    return along(event, this.svg, this.box, from, to);
  }

  homeAt(event) {
    const { from, to } = this.chart.home;
    return along(event, this.strip, this.box, from, to);
  }

  // ---- all of it

  draw() {
    const { chart, box } = this;
    const { from, to } = chart.window;
    const lanes = chart.curves.filter((curve) => !curve.numeric);
    this.panes = this.layOut();
    const last = this.panes.at(-1);
    let bottom = last.bottom + BETWEEN;
    const parts = [this.defs(), ...this.axis(from, to, last.bottom)];
    for (const pane of this.panes) parts.push(...this.pane(pane));
    for (const curve of lanes) {
      parts.push(...this.lane(curve, bottom));
      bottom += LANE;
    }
    if (chart.marked.length) {
      parts.push(...this.events(bottom));
      bottom += LANE;
    }
    this.height = bottom + FOOT - BETWEEN;
    for (const each of this.timed) parts.push(lettered(`tick middle ${each.day ? "day" : ""}`, this.x(each.ms), this.height - 6, each.words));
    const present = this.x(now());
    if (present > box.left && present < box.right - 1) parts.push(drawn("line", { class: "now", x1: present, x2: present, y1: this.panes[0].top, y2: last.bottom }));
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.setAttribute("height", this.height);
    this.svg.replaceChildren(...parts, this.crossing);
    this.cross();
    if (!chart.plain) this.overview();
  }

  // one pane for each unit, in the order of the signals
  layOut() {
    const { chart } = this;
    const units = new Map();
    chart.curves.forEach((curve, n) => {
      if (!curve.numeric) return;
      const { unit } = curve.signal;
      if (!units.has(unit)) units.set(unit, []);
      units.get(unit).push([curve, n]);
    });
    if (!units.size) units.set("", []);
    const each = Math.max(LEAST, (chart.height - FOOT) / units.size);
    let top = 0;
    return [...units].map(([unit, curves]) => {
      const pane = { unit, curves, top: top + HEAD, bottom: top + each - BETWEEN };
      top += each;
      const [low, high] = this.scaleOf(pane);
      return Object.assign(pane, { low, high, y: (value) => pane.bottom - ((value - low) / (high - low)) * (pane.bottom - pane.top) });
    });
  }

  scaleOf({ curves }) {
    const { chart } = this;
    const { from, to } = chart.window;
    const targets = chart.targets();
    const all = [];
    let least = 0; // noise must not look like an event: never finer than a fiftieth of what can be
    for (const [curve] of curves) {
      const { id, low, high } = curve.signal;
      const other = chart.others.find((each) => each.signal.id === id);
      for (const each of [curve, other]) all.push(...(each?.range(from, to) ?? []));
      if (targets[id] !== undefined && targets[id] !== null) all.push(targets[id]);
      if (low !== null && high !== null) least = Math.max(least, (high - low) / 50);
      if (chart.whole) all.push(...this.limitsOf(curve).map(([value]) => value));
    }
    if (!all.length) {
      const first = curves[0]?.[0].signal;
      return first && first.low !== null && first.high !== null && first.low < first.high ? [first.low, first.high] : [0, 1];
    }
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const span = Math.max(high - low, least, Math.abs(high) * 1e-4) || 1;
    const margin = (span - (high - low)) / 2 + span * 0.08;
    return [low - margin, high + margin];
  }

  defs() {
    const { box, id } = this;
    const hatch = drawn("pattern", { id: `${id}-hatch`, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, drawn("line", { class: "hatching", x1: 0, x2: 0, y1: 0, y2: 8 }));
    const clips = this.panes.map((pane, n) => drawn("clipPath", { id: `${id}-${n}` }, drawn("rect", { x: box.left, y: pane.top - 3, width: Math.max(0, box.right - box.left), height: pane.bottom - pane.top + 6 })));
    return drawn("defs", {}, hatch, ...clips);
  }

  axis(from, to, bottom) {
    const { box } = this;
    const wide = to - from < 60000 ? 110 : 74;
    this.timed = times(from, to, Math.floor((box.right - box.left) / wide), here.t.locale, here.factory.timezone).filter((each) => this.x(each.ms) > box.left + 8 && this.x(each.ms) < box.right - 8);
    const top = this.panes[0].top;
    return this.timed.map((each) => drawn("line", { class: `grid ${each.day ? "midnight" : "minor"}`, x1: this.x(each.ms), x2: this.x(each.ms), y1: top, y2: bottom }));
  }

  // ---- a pane

  pane(pane) {
    const { box, chart } = this;
    const { from, to } = chart.window;
    const n = this.panes.indexOf(pane);
    const parts = [];
    const values = ticks(pane.low, pane.high, Math.max(2, Math.floor((pane.bottom - pane.top) / 32)));
    for (const value of values) {
      parts.push(drawn("line", { class: "grid", x1: box.left, x2: box.right, y1: pane.y(value), y2: pane.y(value) }));
      parts.push(lettered("tick end", box.left - 8, pane.y(value) + 5, tickWords(value, values, here.t.locale)));
    }
    parts.push(drawn("path", { class: "edge", d: `M${box.left} ${pane.top}V${pane.bottom}H${box.right}` }));
    parts.push(lettered("tick end", box.left - 8, pane.top - 8, unitOf(pane.unit)));
    const inside = drawn("g", { "clip-path": `url(#${this.id}-${n})` });
    for (const gap of this.gapsOf(pane)) inside.append(this.hole(gap, pane));
    for (const [curve] of pane.curves) inside.append(...this.limits(curve, pane));
    for (const [curve, place] of pane.curves) {
      const other = chart.others.find((each) => each.signal.id === curve.signal.id);
      if (other) inside.append(drawn("path", { class: `line other s${place % 6}`, d: this.lineOf(other, pane, to) }));
      inside.append(drawn("path", { class: `band s${place % 6}`, d: curve.band((ms) => this.x(ms), pane.y) }));
      inside.append(drawn("path", { class: `line s${place % 6}`, d: this.lineOf(curve, pane, Math.min(to, now())) }));
      for (const [ms, value] of curve.dots(from, to, (box.right - box.left) / 14)) inside.append(this.mark(place, this.x(ms), pane.y(value), 0.7));
      inside.append(...this.doubts(curve, pane));
    }
    parts.push(inside);
    if (!pane.curves.some(([curve]) => curve.range(from, to)) && pane.curves.length) parts.push(lettered("empty middle", (box.left + box.right) / 2, (pane.top + pane.bottom) / 2, here.t.noData));
    return parts;
  }

  lineOf(curve, pane, until) {
    return curve.line((ms) => this.x(ms), pane.y, until) || "M0 0";
  }

  // gaps of any curve of a pane, where each of them has one
  gapsOf(pane) {
    const { from, to } = this.chart.window;
    const [first, ...rest] = pane.curves.map(([curve]) => curve.gaps);
    if (!first) return [];
    const shown = first.filter((gap) => gap.to > from && gap.from < to);
    if (!rest.length) return shown;
    return shown.filter((gap) => rest.every((gaps) => gaps.some((each) => each.from < gap.to && each.to > gap.from)));
  }

  hole(gap, pane) {
    const { box } = this;
    const [left, right] = [Math.max(this.x(gap.from), box.left), Math.min(this.x(gap.to), box.right)];
    const title = `${here.t.chart.gaps[gap.why]}: ${this.chart.tell(gap.from)} – ${this.chart.tell(gap.to)}`;
    return drawn("rect", { class: "gap", "data-why": gap.why, fill: `url(#${this.id}-hatch)`, x: left, y: pane.top, width: Math.max(right - left, 1), height: pane.bottom - pane.top }, drawn("title", {}, title));
  }

  limits(curve, pane) {
    const { box, chart } = this;
    const target = chart.targets()[curve.signal.id] ?? null;
    return [...this.limitsOf(curve), [target, "target", here.t.setPoint]].flatMap(([value, kind, words]) => {
      if (value === null || value < pane.low || value > pane.high) return [];
      const y = pane.y(value);
      return [drawn("line", { class: kind, x1: box.left, x2: box.right, y1: y, y2: y }), lettered("limit-words end", box.right - 4, y - 5, `${words} ${chart.figure(curve, value)}`)];
    });
  }

  // [value, kind, words] of each limit: what is physically possible, and what the page knows
  limitsOf({ signal: { id, low, high } }) {
    const t = here.t.chart;
    const known = this.chart.bounds().filter((bound) => bound.id === id).map(({ value, words }) => [value, "bound", words]);
    return [[low, "limit", t.low], [high, "limit", t.high], ...known].filter(([value]) => value !== null);
  }

  // samples that are not good: a cross at the bottom for bad, an open diamond for uncertain
  doubts(curve, pane) {
    const { from, to } = this.chart.window;
    let [drawnAt, drawnKind] = [-Infinity, ""];
    const apart = curve.marks(from, to).filter(([ms, , kind]) => {
      const fits = this.x(ms) - drawnAt >= APART || kind !== drawnKind;
      if (fits) [drawnAt, drawnKind] = [this.x(ms), kind];
      return fits;
    });
    return apart.map(([ms, value, kind]) => {
      const [x, y] = [this.x(ms), value === null ? pane.bottom - 7 : pane.y(value)];
      const d = kind === "bad" ? `M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8` : `M${x} ${y - 5}l5 5l-5 5l-5-5z`;
      return drawn("path", { class: `doubt ${kind}`, d }, drawn("title", {}, `${this.chart.tell(ms)}: ${here.t.flags[kind]}`));
    });
  }

  mark(place, x, y, size = 1) {
    return drawn("path", { class: `point s${place % 6}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`, d: SHAPES[place % 6] });
  }

  swatch(place, other) {
    const line = drawn("line", { class: `line s${place % 6} ${other ? "other" : ""}`, x1: 1, x2: 31, y1: 8, y2: 8 });
    const svg = drawn("svg", { class: "trend-swatch", width: 32, height: 16, viewBox: "0 0 32 16", "aria-hidden": "true" }, line);
    if (!other) svg.append(this.mark(place, 16, 8));
    return svg;
  }

  // ---- words over time, and events

  lane(curve, top) {
    const { box, chart } = this;
    const { from, to } = chart.window;
    const end = Math.min(to, now());
    const parts = [drawn("title", {}, chart.nameOf(curve))];
    curve.time.forEach((ms, n) => {
      const until = Math.min(curve.time[n + 1] ?? end, end);
      if (until < from || ms > to) return;
      const { kind, label, mark } = look([curve.words[n], ms, curve.status[n]]);
      const [left, right] = [Math.max(this.x(ms), box.left), Math.min(this.x(until), box.right)];
      if (right <= left) return;
      const fill = kind === "none" ? { fill: `url(#${this.id}-hatch)` } : {};
      const block = drawn("rect", { class: `block ${kind}`, x: left, y: top, width: Math.max(right - left, 0.8), height: LANE - 6, ...fill }, drawn("title", {}, `${chart.tell(ms)}: ${label}`));
      parts.push(block);
      if (right - left > 48) parts.push(clipped(`block-words ${kind}`, left + 5, top + LANE - 11, `${mark} ${label}`, right - left - 8));
    });
    for (const gap of curve.gaps) {
      const [left, right] = [Math.max(this.x(gap.from), box.left), Math.min(this.x(gap.to), box.right)];
      const size = { x: left, y: top, width: Math.max(right - left, 0), height: LANE - 6 };
      parts.push(drawn("rect", { class: "under", ...size }), drawn("rect", { class: "gap", "data-why": gap.why, fill: `url(#${this.id}-hatch)`, ...size }, drawn("title", {}, here.t.chart.gaps[gap.why])));
    }
    return [drawn("g", { class: "lane" }, ...parts)];
  }

  // events that would cover each other are one mark with their number
  events(top) {
    const { from, to } = this.chart.window;
    const groups = [];
    for (const event of this.chart.marked) {
      if (event.ms < from || event.ms > to) continue;
      const x = this.x(event.ms);
      const last = groups.at(-1);
      if (last && x - last.x < GROUP) last.events.push(event);
      else groups.push({ x, events: [event] });
    }
    return groups.map(({ x, events }) => {
      const worst = events.find((event) => event.kind === "alarm") ?? events[0];
      const words = events.slice(0, 12).map((event) => this.chart.eventWords(event)).join("\n");
      const rise = groups.length > FEW ? [] : [drawn("line", { class: "pointer", x1: x, x2: x, y1: this.panes[0].top, y2: top })];
      return drawn("g", { class: `event ${worst.kind}` }, drawn("title", {}, words), ...rise, lettered("glyph middle", x, top + 14, `${GLYPHS[worst.kind] ?? "●"}${events.length > 1 ? events.length : ""}`));
    });
  }

  eventsNear(ms) {
    const x = this.x(ms);
    return this.chart.marked.filter((event) => Math.abs(this.x(event.ms) - x) < NEAR);
  }

  // ---- the pointer

  cross() {
    const { chart, box } = this;
    const { pointer, brush } = chart;
    const parts = [];
    const [top, bottom] = [this.panes[0]?.top ?? 0, this.panes.at(-1)?.bottom ?? 0];
    if (brush) {
      const [left, right] = brush.map((ms) => Math.min(Math.max(this.x(ms), box.left), box.right)).sort((a, b) => a - b);
      parts.push(drawn("rect", { class: "brush", x: left, y: top, width: right - left, height: bottom - top }));
    }
    if (pointer !== null && pointer >= chart.window.from && pointer <= chart.window.to) parts.push(...this.readings(pointer, top, bottom));
    this.crossing.replaceChildren(...parts);
  }

  readings(ms, top, bottom) {
    const { chart, box } = this;
    const x = this.x(ms);
    const parts = [drawn("line", { class: "pointer", x1: x, x2: x, y1: top, y2: bottom })];
    for (const pane of this.panes) {
      for (const [curve, place] of pane.curves) {
        const found = curve.at(ms);
        if (found && found.value !== undefined) parts.push(this.mark(place, curve.shape === "samples" && !curve.steps ? this.x(found.ms) : x, pane.y(found.value)));
      }
    }
    const side = x > (box.left + box.right) / 2 ? "end" : "";
    const lines = [chart.tell(ms), ...this.eventsNear(ms).slice(0, 4).map((event) => `${GLYPHS[event.kind] ?? "●"} ${chart.eventWords(event)}`)];
    lines.forEach((words, n) => parts.push(lettered(`reading ${side}`, x + (side ? -8 : 8), top - 7 + n * 18, words)));
    return parts;
  }

  // ---- the strip: all that was looked at, and where we are in it

  overview() {
    const { chart, box, strip } = this;
    const { home, sketch, window } = chart;
    const x = (ms) => box.left + ((ms - home.from) / (home.to - home.from)) * (box.right - box.left);
    const parts = [drawn("rect", { class: "ground", x: box.left, y: 2, width: Math.max(0, box.right - box.left), height: STRIP - 4 })];
    const values = [...(sketch?.points() ?? [])].map(([, value]) => value).filter((value) => value !== null);
    if (values.length) {
      const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
      const [low, high] = least === most ? [least - 1, most + 1] : [least, most];
      const y = (value) => STRIP - 8 - ((value - low) / (high - low)) * (STRIP - 16);
      parts.push(drawn("path", { class: "sketch", d: sketch.line(x, y, Math.min(home.to, now())) || "M0 0" }));
    }
    const [left, right] = [x(window.from), x(window.to)];
    const width = Math.max(right - left, 4);
    parts.push(drawn("rect", { class: "window", x: Math.min(left, box.right - width), y: 2, width, height: STRIP - 4 }));
    strip.setAttribute("viewBox", `0 0 ${this.width} ${STRIP}`);
    strip.setAttribute("height", STRIP);
    strip.replaceChildren(...parts);
  }
}

function along(event, svg, box, from, to) {
  const x = event.clientX - svg.getBoundingClientRect().left;
  const share = Math.min(Math.max((x - box.left) / (box.right - box.left), 0), 1);
  return from + share * (to - from);
}

// words that end where their place ends
function clipped(kind, x, y, words, width) {
  const most = Math.max(1, Math.floor(width / 9));
  return lettered(kind, x, y, words.length > most ? `${words.slice(0, most)}…` : words);
}
