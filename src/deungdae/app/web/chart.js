// The trend chart: signals over any period, from years to a millisecond. Each unit has its pane.
//
//   const chart = new Chart({ signals: ["kiln.firing1"], span: 15 * 60000, height: 400 });
//   place.append(chart.element);     then build(), take(changed), tick() and leave() as a page's part
//
// It asks /api/v1/trend, shows gaps as gaps and bad samples as such, and follows what is new while
// its period ends now. Drag, wheel with Ctrl, buttons or keys change the period; hearers are told.

import { instant } from "./axis.js";
import { button, drawn, element, onResize, put } from "./dom.js";
import { Curve, signalOf } from "./curve.js";
import { number } from "./format.js";
import { Drawing } from "./drawing.js";
import { menu } from "./menu.js";
import { savable } from "./picture.js";
import { assetName, assetOf, get, here, known, nameOf, now, unitOf, watch } from "./shell.js";
import { look } from "./states.js";
import { save, Table } from "./table.js";

const DAY = 86400000;
const LEAST = 1; // ms that can be zoomed to
const MOST = 100 * 366 * DAY;
const AGAIN = 30000; // ms after which a chart that ends now asks anew
const DRAG = 6; // pixels; less is a click
const KEYS = ["alarm", "note", "order"]; // kinds of events that are marked on the time axis
const EVENTS = 500;

export class Chart {
  // signals: ids, of numbers or words. from, to: ISO 8601 or ms; or span: ms that end now.
  // events: ids whose events are marked on the time axis. targets(): value of a line across, by id.
  // bounds(): further limits, [{ id, value, words }].
  // height: px of all panes. plain: without tools and table. changed(chart): told of each new period
  // and choice of signals. pick(id): called when a name in the legend is pressed.
  constructor({ signals = [], from = null, to = null, span = 15 * 60000, events = [], targets = () => ({}), bounds = () => [], height = 380, plain = false, changed = () => {}, remove = null }) {
    Object.assign(this, { signals, events, targets, bounds, height, plain, changed, remove });
    this.curves = [];
    this.others = []; // the same signals, of another day
    this.marked = []; // events
    this.against = 0; // ms back to the day that is compared with
    this.past = [];
    this.pointer = null; // ms
    this.pinned = false; // the pointer is moved by keys
    this.turn = 0;
    this.whole = false; // whether the scale reaches to the limits
    this.set(from, to, span);
    this.home = { ...this.window };
    this.frame();
  }

  // ---- the period

  set(from, to, span) {
    this.live = from === null || to === null;
    this.window = this.live ? { from: now() - span, to: now() } : { from: moment(from), to: moment(to) };
    if (!(this.window.to - this.window.from >= LEAST)) this.window.from = this.window.to - LEAST;
  }

  // shows other signals or another period
  show({ signals = this.signals, from = this.window.from, to = this.window.to, live = this.live }) {
    this.signals = signals;
    if (from !== this.window.from || to !== this.window.to) {
      this.set(live ? null : from, to, moment(to) - moment(from));
      this.home = { ...this.window };
      this.past = [];
    }
    return this.renew();
  }

  get span() {
    return this.window.to - this.window.from;
  }

  // shows from..to; what was shown before can be gone back to
  zoom(from, to, keep = true) {
    const span = Math.min(Math.max(to - from, LEAST), MOST);
    const latest = Math.max(now(), this.home.to);
    const end = Math.min((from + to + span) / 2, latest);
    if (keep) this.past.push({ ...this.window, live: this.live });
    if (this.past.length > 100) this.past.shift();
    this.live = end >= now() - span * 0.002 && end >= this.home.to - 1;
    this.window = { from: end - span, to: end };
    this.widenHome();
    this.renew();
  }

  widenHome() {
    this.home.from = Math.min(this.home.from, this.window.from);
    this.home.to = Math.max(this.home.to, this.window.to);
  }

  scale(factor, around = (this.window.from + this.window.to) / 2) {
    const { from, to } = this.window;
    this.zoom(around - (around - from) * factor, around + (to - around) * factor);
  }

  move(share) {
    const step = this.span * share;
    this.zoom(this.window.from + step, this.window.to + step);
  }

  back() {
    const before = this.past.pop();
    if (!before) return;
    const span = before.to - before.from;
    this.live = before.live;
    this.window = before.live ? { from: now() - span, to: now() } : { from: before.from, to: before.to };
    this.renew();
  }

  follow() {
    this.last(this.span, false);
  }

  // shows the last so many ms, and follows what is new
  last(span, anew = true) {
    this.past.push({ ...this.window, live: this.live });
    this.live = true;
    this.window = { from: now() - span, to: now() };
    if (anew) this.home = { ...this.window };
    this.widenHome();
    return this.renew();
  }

  // ---- what it shows

  // asks anew and tells who listens
  async renew() {
    this.draw();
    this.changed(this);
    await this.ask();
  }

  async ask() {
    const turn = ++this.turn;
    watch(this.signals);
    this.asking?.abort();
    this.asking = new AbortController();
    this.asked = performance.now();
    this.element.setAttribute("aria-busy", "true");
    this.problem = "";
    const window = { ...this.window };
    try {
      const [curves, others, marked] = await Promise.all([this.told(window, 0), this.against ? this.told(window, this.against) : [], this.toldEvents(window)]);
      if (turn !== this.turn) return;
      Object.assign(this, { curves, others, marked });
      if (!this.sketch || (window.from <= this.home.from && window.to >= this.home.to)) this.sketch = curves.find((each) => each.numeric) ?? null;
      for (const curve of curves) if (this.live) this.heed(curve);
    } catch (problem) {
      if (turn !== this.turn) return;
      this.problem = problem instanceof TypeError ? here.t.failed : problem.message;
    }
    this.element.setAttribute("aria-busy", "false");
    this.draw();
    if (this.table) this.fill();
  }

  async told({ from, to }, shift) {
    if (!this.signals.length) return [];
    const points = Math.min(2000, Math.max(300, Math.round(this.drawing.width / 100) * 100));
    const ids = this.signals.map((id) => `id=${encodeURIComponent(id)}`).join("&");
    const answer = await get(`trend?${ids}&from=${told(from - shift)}&to=${told(to - shift)}&points=${points}`, { signal: this.asking.signal });
    return answer.signals.map((each) => new Curve(each, from - shift, shift));
  }

  async toldEvents({ from, to }) {
    if (!this.events.length) return [];
    const ids = this.events.map((id) => `&ids=${encodeURIComponent(id)}`).join("");
    const found = await get(`events?from=${told(from)}&to=${told(to)}${ids}&kinds=${KEYS.join("&kinds=")}&limit=${EVENTS}`, { signal: this.asking.signal });
    return found.map((event) => ({ ...event, ms: Date.parse(event.time) }));
  }

  heed(curve) {
    const reading = known.readings.get(curve.signal.id);
    return curve.numeric && reading !== undefined && curve.follow(reading);
  }

  // ---- a part of a page

  build() {
    this.label();
    return this.ask();
  }

  take(changed) {
    const readings = this.live && changed("readings");
    if (!readings) return;
    for (const curve of this.curves) if (readings[curve.signal.id] && this.heed(curve)) this.fresh = true;
    const events = changed("events") ?? {};
    if (this.curves.some((curve) => !curve.numeric && events[curve.signal.id])) this.asked = 0;
  }

  tick() {
    if (!this.live) return;
    const { span } = this;
    const end = now();
    const moved = ((end - this.window.to) / span) * this.drawing.width;
    const pace = Math.min(Math.max(AGAIN, span / 500), 300000);
    if (performance.now() - this.asked > pace) this.ask();
    if (moved < 0.7 && !this.fresh) return;
    this.window = { from: end - span, to: end };
    this.widenHome();
    this.fresh = false;
    this.draw();
  }

  leave() {
    this.turn++;
    this.asking?.abort();
    this.drawing.leave();
  }

  // ---- the frame around the drawing

  frame() {
    this.element = element("div", "trend");
    this.svg = drawn("svg", { class: "trend-plot", role: "img", tabindex: "0" });
    this.strip = drawn("svg", { class: "trend-strip", "aria-hidden": "true" });
    this.legend = element("ul", "trend-legend");
    this.when = element("p", "trend-when quiet");
    this.says = element("p", "said");
    this.says.setAttribute("aria-live", "polite");
    this.notice = element("p", "notice");
    this.tools = element("div", "trend-tools");
    this.below = element("div", "trend-table");
    this.drawing = new Drawing(this.svg, this.strip, this);
    const head = element("div", "trend-head", this.when, element("span", "push"), this.tools);
    this.element.append(...(this.plain ? [] : [head]), this.svg, ...(this.plain ? [] : [this.strip]), this.legend, this.notice, this.says, this.below);
    onResize(this.element, () => this.draw());
    this.svg.addEventListener("pointerdown", (event) => this.grasp(event));
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerup", (event) => this.release(event));
    this.svg.addEventListener("pointercancel", () => this.letGo());
    this.svg.addEventListener("pointerleave", () => this.grasped === undefined && this.aim(null));
    this.svg.addEventListener("dblclick", (event) => this.scale(3, this.drawing.msAt(event)));
    this.svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("blur", () => this.aim(null));
    this.strip.addEventListener("pointerdown", (event) => this.slide(event));
    this.strip.addEventListener("pointermove", (event) => event.buttons && this.slide(event));
    this.strip.addEventListener("pointerup", () => this.slid && this.settle());
    this.label();
  }

  // the words of the tools, in the language of now
  label() {
    const t = here.t.chart;
    if (this.plain || !t) return;
    const tool = (mark, words, act) => {
      const made = button("tool", mark, act);
      made.title = words;
      made.setAttribute("aria-label", words);
      return made;
    };
    this.backTool = tool("↶", t.back, () => this.back());
    this.liveTool = tool("⇥", t.toNow, () => this.follow());
    this.limitsTool = tool("⇕", t.limits, () => this.toggle());
    const against = element("select");
    for (const [value, words] of [[0, t.alone], [DAY, t.dayBefore], [7 * DAY, t.weekBefore]]) against.append(new Option(words, value, false, value === this.against));
    against.setAttribute("aria-label", t.compare);
    against.addEventListener("change", () => {
      this.against = Number(against.value);
      this.ask();
    });
    this.tableTool = button("tool", t.asTable, () => this.toggleTable());
    this.tableTool.setAttribute("aria-pressed", Boolean(this.table));
    const samples = (form) => [t.samples(form.toUpperCase()), () => this.saveSamples(form)];
    this.tools.replaceChildren(
      this.backTool,
      tool("◀", t.earlier, () => this.move(-0.5)),
      tool("▶", t.later, () => this.move(0.5)),
      tool("+", t.closer, () => this.scale(1 / 3)),
      tool("−", t.wider, () => this.scale(3)),
      this.liveTool,
      this.limitsTool,
      against,
      this.tableTool,
      menu(t.samplesShort, t.takeSamples, [samples("csv"), samples("parquet")]),
      savable(this.svg, "trend"),
    );
    if (this.table) this.toggleTable(true);
  }

  toggle() {
    this.whole = !this.whole;
    this.draw();
  }

  async saveSamples(form) {
    const ids = this.curves.filter((curve) => curve.numeric).map((curve) => `id=${encodeURIComponent(curve.signal.id)}`);
    try {
      await save(`trend/samples?${ids.join("&")}&from=${told(this.window.from)}&to=${told(this.window.to)}&format=${form}`, `samples.${form}`);
    } catch (problem) {
      put(this.notice, `! ${problem.message}`);
    }
  }

  // ---- drawing

  draw() {
    if (!here.factory || !here.t.chart) return;
    const t = here.t.chart;
    this.drawing.draw();
    this.showLegend();
    put(this.notice, this.problem ? `! ${this.problem}` : "");
    this.svg.setAttribute("aria-label", this.words());
    if (this.plain) return;
    const { from, to } = this.window;
    put(this.when, `${this.tell(from)} – ${this.live ? here.t.now : this.tell(to)}`);
    this.backTool.disabled = !this.past.length;
    this.liveTool.disabled = this.live;
    this.limitsTool.setAttribute("aria-pressed", this.whole);
    const buckets = this.curves.find((curve) => curve.every);
    this.when.title = buckets ? t.buckets(length(buckets.every)) : "";
  }

  tell(ms) {
    return instant(ms, this.span, here.t.locale, here.factory.timezone);
  }

  // what is drawn, in words
  words() {
    const t = here.t.chart;
    const { from, to } = this.window;
    const told = this.curves.filter((curve) => curve.numeric).map((curve) => {
      const range = curve.range(from, to);
      const gaps = curve.gaps.filter((gap) => gap.to > from && gap.from < to).length;
      return range ? t.says(this.nameOf(curve), this.figure(curve, range[0]), this.figure(curve, range[1]), gaps) : t.saysNothing(this.nameOf(curve));
    });
    return [t.title(this.tell(from), this.tell(to)), ...told, t.keys].join(" ");
  }

  nameOf(curve) {
    const { id } = curve.signal;
    return `${assetName(assetOf(id))} · ${known.signals.has(id) ? nameOf(id) : curve.signal.name || id}`;
  }

  figure(curve, value) {
    return `${number(value, here.t.locale, !curve.steps)} ${unitOf(curve.signal.unit)}`.trim();
  }

  // ---- legend: what stands at the pointer, or now

  showLegend() {
    const t = here.t.chart;
    if (!this.curves.length) {
      delete this.legend.dataset.key;
      this.legend.replaceChildren(element("li", "quiet", this.signals.length ? (this.problem ? "" : here.t.loading) : t.nothing));
      return;
    }
    const ms = this.pointer ?? Math.min(this.window.to, now());
    const all = [...this.curves.map((curve) => [curve, ""]), ...this.others.map((curve) => [curve, this.against === DAY ? t.dayBefore : t.weekBefore])];
    const key = all.map(([curve, words]) => `${curve.signal.id}${words}`).join("|") + here.t.locale;
    if (this.legend.dataset.key !== key) {
      this.legend.dataset.key = key;
      this.legend.replaceChildren(...all.map(([curve, words], n) => this.entry(curve, words, n)));
    }
    all.forEach(([curve], n) => {
      const entry = this.legend.children[n];
      put(entry.querySelector(".figure"), this.valueAt(curve, ms));
      const range = curve.range(this.window.from, this.window.to);
      put(entry.querySelector(".range"), range ? `${number(range[0], here.t.locale)} … ${number(range[1], here.t.locale)}` : "");
    });
  }

  entry(curve, words, n) {
    const { t } = here;
    const other = words !== "";
    const place = n % Math.max(this.curves.length, 1);
    const name = element("span", "name", this.nameOf(curve), words ? element("em", "", ` ${words}`) : "");
    name.title = curve.signal.id;
    const made = element("li", `s${place % 6} ${other ? "other" : ""}`, this.drawing.swatch(place, other), name, element("strong", "figure"), element("span", "range quiet"));
    if (this.remove && !other) {
      const away = button("tool", "×", () => this.remove(curve.signal.id));
      away.setAttribute("aria-label", `${t.chart.remove}: ${this.nameOf(curve)}`);
      away.title = t.chart.remove;
      made.append(away);
    }
    return made;
  }

  valueAt(curve, ms) {
    const t = here.t.chart;
    const gap = curve.gapAt(ms);
    if (gap) return t.gaps[gap.why];
    const found = curve.at(ms);
    if (!found) return "–";
    if (found.words !== undefined) return look([found.words, found.ms, found.status]).label;
    const doubt = (found.status & 3) === 1 ? " ?" : "";
    const range = found.low !== undefined && found.low !== found.high ? ` (${number(found.low, here.t.locale)} … ${number(found.high, here.t.locale)})` : "";
    return `${this.figure(curve, found.value)}${range}${doubt}`;
  }

  // ---- pointer

  aim(ms, byKey = false) {
    this.pointer = ms;
    this.pinned = byKey && ms !== null;
    this.drawing.cross();
    this.showLegend();
  }

  grasp(event) {
    if (event.button || this.curves.length === 0) return;
    this.svg.setPointerCapture(event.pointerId);
    this.grasped = this.drawing.msAt(event);
    this.graspedAt = event.clientX;
  }

  point(event) {
    const ms = this.drawing.msAt(event);
    if (this.grasped !== undefined && Math.abs(event.clientX - this.graspedAt) > DRAG) this.brush = [this.grasped, ms];
    this.aim(ms);
  }

  release(event) {
    const { brush } = this;
    this.letGo();
    if (brush && Math.abs(event.clientX - this.graspedAt) > DRAG) this.zoom(Math.min(...brush), Math.max(...brush));
  }

  letGo() {
    this.grasped = undefined;
    this.brush = null;
    this.drawing.cross();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // else the page is moved
    event.preventDefault();
    this.scale(event.deltaY > 0 ? 1.5 : 1 / 1.5, this.drawing.msAt(event));
  }

  slide(event) {
    if (event.type === "pointerdown") {
      this.past.push({ ...this.window, live: this.live });
      this.strip.setPointerCapture(event.pointerId);
    }
    const middle = this.drawing.homeAt(event);
    const { span } = this;
    const to = Math.min(Math.max(middle + span / 2, this.home.from + span), this.home.to);
    this.live = false;
    this.slid = true;
    this.window = { from: to - span, to };
    this.draw();
  }

  settle() {
    this.slid = false;
    this.renew();
  }

  // ---- keys

  key(event) {
    const act = this.deed(event);
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  deed(event) {
    const { from, to } = this.window;
    const at = this.pointer ?? (from + to) / 2;
    const step = this.span / 100;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way) return event.shiftKey ? () => this.move(way / 4) : () => this.walk(Math.min(Math.max(at + way * step, from), to));
    return {
      Home: () => this.walk(from),
      End: () => this.walk(to),
      PageUp: () => this.leap(-1, at),
      PageDown: () => this.leap(1, at),
      "+": () => this.scale(1 / 3, at),
      "=": () => this.scale(1 / 3, at),
      "-": () => this.scale(3, at),
      Backspace: () => this.back(),
      Enter: () => this.mark(at),
      Escape: () => this.letGo(),
    }[event.key];
  }

  // moves the pointer by keys and says what stands there
  walk(ms) {
    if (this.brush) this.brush = [this.brush[0], ms];
    this.aim(ms, true);
    const values = this.curves.map((curve) => `${this.nameOf(curve)} ${this.valueAt(curve, ms)}`);
    const near = this.drawing.eventsNear(ms).map((event) => this.eventWords(event));
    put(this.says, [this.tell(ms), ...values, ...near].join(", "));
  }

  // to the next event on the time axis
  leap(way, at) {
    const times = this.marked.map((event) => event.ms).filter((ms) => (ms - at) * way > this.span / 1000);
    if (times.length) this.walk(way > 0 ? Math.min(...times) : Math.max(...times));
  }

  // begins a range at the pointer, or shows the one that was begun
  mark(at) {
    if (!this.brush) {
      this.brush = [at, at];
      put(this.says, here.t.chart.rangeBegun(this.tell(at)));
      this.drawing.cross();
      return;
    }
    const [one, two] = this.brush;
    this.letGo();
    if (Math.abs(two - one) >= LEAST) this.zoom(Math.min(one, two), Math.max(one, two));
  }

  eventWords(event) {
    const t = here.t.chart;
    const who = event.data.person ? ` — ${event.data.person}` : "";
    const note = event.data.note ?? event.data.message ?? "";
    return `${this.tell(event.ms)} ${assetName(assetOf(event.id))} · ${t.kinds[event.kind] ?? event.kind}: ${[event.value, note].filter(Boolean).join(" · ")}${who}`;
  }

  // ---- the same as a table

  toggleTable(open = !this.table) {
    this.below.replaceChildren();
    this.table = null;
    this.tableTool.setAttribute("aria-pressed", open);
    if (!open) return;
    const t = here.t.chart;
    const figures = [["value", t.value], ["minimum", t.least], ["maximum", t.most], ["count", t.count]];
    const columns = [
      { key: "time", title: t.time, kind: "time", show: (row) => this.tell(row.ms) },
      { key: "id", title: t.signal, kind: "text", show: (row) => this.nameOf({ signal: signalOf(row.id) }) },
      ...figures.map(([key, title]) => ({ key, title, kind: "number" })),
      { key: (row) => row.words ?? quality(row), title: t.quality, kind: "text" },
    ];
    this.table = new Table({ name: "trend", columns, empty: t.nothing, label: t.asTable });
    this.below.append(this.table.element);
    this.fill();
  }

  fill() {
    const { from, to } = this.window;
    const rows = this.curves.flatMap((curve) => [...curve.rows()]).filter((row) => row.ms >= from && row.ms <= to);
    this.table.fill(rows);
  }
}

function quality({ status, bad }) {
  const { flags } = here.t;
  if (bad !== undefined) return bad ? flags.bad : "";
  const severity = (status ?? 0) & 3;
  return severity >= 2 ? flags.bad : severity ? flags.uncertain : "";
}

// a time as the API takes it, to the microsecond
function told(ms) {
  if (ms < 0) return new Date(ms).toISOString();
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function moment(time) {
  if (typeof time === "number") return time;
  return Date.parse(time);
}

// a length of time in the words of the page
function length(ms) {
  const { units } = here.t;
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60000) return `${ms / 1000} ${units.s}`;
  if (ms < 3600000) return `${ms / 60000} ${units.min}`;
  return ms < DAY ? `${ms / 3600000} ${units.h}` : `${ms / DAY} ${units.d}`;
}
