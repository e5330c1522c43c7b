// What a machine tells now, each value with the last hour as a small line; a press adds it to the trend.

import { signalsOf } from "../assets.js";
import { Curve } from "../curve.js";
import { $, button, drawn, element, put } from "../dom.js";
import { age, isCounted, number } from "../format.js";
import { get, here, known, nameOf, now, unitOf, watch } from "../shell.js";
import { look, stateOf } from "../states.js";

const SPAN = 3600000; // ms of a small line
const AGAIN = 60000; // ms between two looks at it
const [WIDTH, HEIGHT] = [96, 26];
const AT_ONCE = 20; // signals of one question
const SHOWN = 60; // rows; of more the search finds the others

export class Values {
  // add: called with the id of the signal that was pressed
  constructor(asset, add) {
    Object.assign(this, { asset, add });
    this.asked = -Infinity;
    this.turn = 0;
    $("value-search").addEventListener("input", () => this.build());
  }

  build() {
    const all = signalsOf(this.asset).filter((signal) => signal !== stateOf(this.asset));
    $("machine-values").hidden = false;
    $("value-find").hidden = all.length <= SHOWN;
    const word = $("value-search").value.trim().toLowerCase();
    this.signals = all.filter((signal) => `${signal.id} ${signal.name}`.toLowerCase().includes(word)).slice(0, SHOWN);
    watch(signalsOf(this.asset).map((signal) => signal.id));
    this.rows = new Map(this.signals.map((signal) => [signal.id, this.row(signal)]));
    const table = element("table", "", element("tbody", "", ...this.rows.values()));
    table.setAttribute("aria-label", here.t.valuesTitle);
    $("value-rows").replaceChildren(this.signals.length ? table : element("p", "quiet", here.t.noSignals));
    this.tick();
    return this.ask();
  }

  row(signal) {
    const name = button("link", nameOf(signal.id), () => this.add(signal.id));
    name.title = `${signal.id} — ${here.t.addToTrend}`;
    name.disabled = signal.kind === "image";
    const head = element("th", "", name, element("span", "age"));
    head.scope = "row";
    const line = drawn("svg", { class: "spark", width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
    return element("tr", "", head, element("td", "line-cell", signal.kind === "number" ? line : ""), element("td", "value"), element("td", "unit", signal.kind === "number" ? unitOf(signal.unit) : ""));
  }

  async ask() {
    this.asked = performance.now();
    const turn = ++this.turn;
    const numbers = this.signals.filter((signal) => signal.kind === "number");
    for (let n = 0; n < numbers.length; n += AT_ONCE) {
      const ids = numbers.slice(n, n + AT_ONCE).map((signal) => `id=${encodeURIComponent(signal.id)}`);
      const end = now();
      const told = await get(`trend?${ids.join("&")}&from=-${SPAN}ms&points=60`).catch(() => null);
      if (!told || turn !== this.turn) return; // the connection is gone, which is told
      for (const each of told.signals) this.sketch(new Curve(each, end - SPAN), end);
    }
  }

  sketch(curve, end) {
    const svg = this.rows.get(curve.signal.id)?.querySelector(".spark");
    const range = curve.range(end - SPAN, end);
    if (!svg || !range) return;
    const [low, high] = range[0] === range[1] ? [range[0] - 1, range[1] + 1] : range;
    const x = (ms) => ((ms - end) / SPAN + 1) * WIDTH;
    const y = (value) => HEIGHT - 3 - ((value - low) / (high - low)) * (HEIGHT - 6);
    svg.replaceChildren(drawn("path", { d: curve.line(x, y, end) || "M0 0" }));
  }

  tick() {
    if (performance.now() - this.asked > AGAIN) this.ask();
    for (const signal of this.signals ?? []) this.show(signal, this.rows.get(signal.id));
  }

  show(signal, row) {
    const { t } = here;
    const numeric = signal.kind === "number";
    const told = numeric ? known.readings.get(signal.id) : known.events.get(signal.id);
    const [value, ms, status] = told ?? [null, null, 2];
    const gone = !told || (status & 3) >= 2;
    const flags = told ? flagsOf(status) : [];
    const shown = numeric ? (value === null ? "–" : number(value, t.locale, !isCounted(signal))) : signal.kind === "state" && told ? look(told).label : value;
    put(row.querySelector(".value"), !told || (gone && value === null) ? t.noData : shown);
    const when = ms === null ? "" : age((now() - ms) / 1000, t.units);
    put(row.querySelector(".age"), flags.length ? `${flags.join(", ")} · ${when}` : when);
    row.className = `${gone ? "gap" : flags.length ? "doubtful" : ""} ${numeric ? "" : "words"}`.trim();
  }
}

function flagsOf(status) {
  const { flags } = here.t;
  const found = [[0x10, flags.stale], [0x20, flags.out_of_range], [0x08, flags.clock_suspect]].filter(([bit]) => status & bit).map(([, word]) => word);
  if (!found.length && status & 3) found.push((status & 3) === 1 ? flags.uncertain : flags.bad);
  return found;
}
