// The trend of a machine: any signals, any period; both stand in the address, to be shared.

import { signalsOf } from "../assets.js";
import { Chart } from "../chart.js";
import { $, button, element } from "../dom.js";
import { isCounted } from "../format.js";
import { assetName, assetOf, findings, here, known, nameOf, unitOf } from "../shell.js";
import { stateOf } from "../states.js";

const [MINUTE, HOUR, DAY] = [60000, 3600000, 86400000];
const SPANS = [15 * MINUTE, HOUR, 8 * HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY];
const FIRST = 2; // measured signals that are shown when nothing was asked for
const MOST = 12; // signals of one trend
const FOUND = 40; // signals that the search offers at once
const TOLD = ["alarm", "note", "order"];

export class Explore {
  constructor(asset) {
    this.asset = asset;
    this.read();
    addEventListener("popstate", (this.reread = () => this.read()));
    $("signal-search").addEventListener("input", () => this.find());
    $("signal-search").addEventListener("focus", () => this.find());
    $("signal-search").addEventListener("keydown", (event) => this.key(event));
    $("signal-search").addEventListener("blur", () => setTimeout(() => this.close(), 200));
  }

  read() {
    const asked = new URLSearchParams(location.search);
    const [from, to] = [Date.parse(asked.get("from")), Date.parse(asked.get("to"))];
    const span = Number(asked.get("span"));
    this.asked = {
      signals: asked.getAll("signal").slice(0, MOST),
      ...(from < to ? { from, to } : {}),
      span: span >= 1 && span <= 100 * 366 * DAY ? span : HOUR,
    };
  }

  build() {
    if (!this.chart) this.begin();
    $("machine-trend").hidden = false;
    this.showSpans();
    return this.chart.build();
  }

  begin() {
    const { signals, ...period } = this.asked;
    this.chart = new Chart({
      signals: signals.length ? signals : this.usual(),
      ...period,
      height: 420,
      events: this.events(),
      targets: () => Object.fromEntries(known.loops.map((loop) => [loop.measurement, loop.set_point])),
      bounds,
      changed: () => this.remember(),
      remove: (id) => this.without(id),
    });
    $("trend-place").replaceChildren(this.chart.element);
  }

  // what is shown at first: what is measured, and the state
  usual() {
    const own = signalsOf(this.asset);
    const numbers = own.filter((signal) => signal.kind === "number");
    const measured = numbers.filter((signal) => !isCounted(signal) && signal.access === "r");
    const state = stateOf(this.asset);
    return [...(measured.length ? measured : numbers).slice(0, FIRST), ...(state ? [state] : [])].map((signal) => signal.id);
  }

  // ids of what is marked on the time axis: alarms, orders and what people said of this machine
  events() {
    const told = [...known.events].filter(([id, event]) => TOLD.includes(event[3]) && assetOf(id) === this.asset).map(([id]) => id);
    const own = signalsOf(this.asset).filter((signal) => signal.kind === "alarm").map((signal) => signal.id);
    return [...new Set([...told, ...own, `${this.asset}.reason`, `${this.asset}.alarm`, `${this.asset}.order`])].slice(0, 100);
  }

  take(changed) {
    this.chart?.take(changed);
  }

  tick() {
    this.chart?.tick();
  }

  leave() {
    removeEventListener("popstate", this.reread);
    this.chart?.leave();
  }

  // ---- which signals

  add(id) {
    const { signals } = this.chart;
    if (signals.includes(id) || signals.length >= MOST) return;
    this.chart.show({ signals: [...signals, id] });
  }

  without(id) {
    this.chart.show({ signals: this.chart.signals.filter((each) => each !== id) });
  }

  remember() {
    const { chart } = this;
    const asked = new URLSearchParams();
    for (const id of chart.signals) asked.append("signal", id);
    if (chart.live) asked.set("span", Math.round(chart.span));
    else for (const name of ["from", "to"]) asked.set(name, new Date(chart.window[name]).toISOString());
    history.replaceState(null, "", `${location.pathname}?${asked}`);
    this.showSpans();
  }

  showSpans() {
    const { chart } = this;
    const picks = SPANS.map((span) => {
      const chosen = chart.live && Math.abs(chart.span - span) < 1000;
      const made = button(chosen ? "chosen" : "", here.t.spans[span / MINUTE], () => chart.last(span));
      made.setAttribute("aria-pressed", chosen);
      return made;
    });
    $("trend-spans").replaceChildren(...picks);
  }

  // ---- the search: signals of this machine first

  find() {
    const word = $("signal-search").value.trim().toLowerCase();
    const shown = new Set(this.chart.signals);
    const fits = (signal) => !shown.has(signal.id) && signal.kind !== "image" && `${signal.id} ${signal.name} ${assetName(assetOf(signal.id))}`.toLowerCase().includes(word);
    const found = [];
    const own = signalsOf(this.asset);
    for (const signal of [...own, ...known.signals.values()]) {
      if (found.length >= FOUND) break;
      if (fits(signal) && !found.includes(signal)) found.push(signal);
    }
    const rows = found.map((signal, n) => this.offer(signal, n));
    $("signal-found").replaceChildren(...(rows.length ? rows : [element("li", "quiet", here.t.noSignal)]));
    $("signal-found").hidden = false;
    $("signal-search").setAttribute("aria-expanded", "true");
    this.point(-1);
  }

  offer(signal, n) {
    const made = element("li", "", element("span", "", `${assetName(assetOf(signal.id))} · ${nameOf(signal.id)}`), element("span", "quiet", signal.kind === "number" ? unitOf(signal.unit) : here.t.wordSignal));
    made.id = `offer-${n}`;
    made.title = signal.id;
    made.dataset.id = signal.id;
    made.setAttribute("role", "option");
    made.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.choose(signal.id);
    });
    return made;
  }

  choose(id) {
    this.add(id);
    $("signal-search").value = "";
    this.close();
  }

  close() {
    $("signal-found")?.setAttribute("hidden", "");
    $("signal-search")?.setAttribute("aria-expanded", "false");
    $("signal-search")?.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const offers = [...$("signal-found").querySelectorAll("[role=option]")];
    if (event.key === "Escape") this.close();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if ($("signal-found").hidden) this.find();
      this.point(Math.min(Math.max(this.pointed + (event.key === "ArrowDown" ? 1 : -1), 0), offers.length - 1));
    } else if (event.key === "Enter" && offers.length) {
      event.preventDefault();
      this.choose(offers[Math.max(this.pointed, 0)].dataset.id);
    }
  }

  point(n) {
    this.pointed = n;
    [...$("signal-found").children].forEach((each, place) => each.setAttribute("aria-selected", place === n));
    const chosen = $(`offer-${n}`);
    if (!chosen) return $("signal-search").removeAttribute("aria-activedescendant");
    $("signal-search").setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }
}

// limits that are known of signals: of control charts of single parts, and what the gate lets be written
function bounds() {
  const { t } = here;
  const charts = findings("control").filter(({ evidence }) => evidence.chart === "individuals");
  const spc = charts.flatMap(({ evidence: { signal, lcl, ucl } }) => [{ id: signal, value: Number(lcl), words: t.lowControl }, { id: signal, value: Number(ucl), words: t.highControl }]);
  const gate = (known.gate?.writable ?? []).flatMap(({ signal, low, high }) => [{ id: signal, value: low, words: t.lowWritable }, { id: signal, value: high, words: t.highWritable }]);
  return [...spc, ...gate].filter(({ value }) => Number.isFinite(value));
}
