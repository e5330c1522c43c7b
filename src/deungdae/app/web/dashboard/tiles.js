// The kinds of tiles. Each has an element, a title, and what parts of a page may have.

import { machines } from "../assets.js";
import { Chart } from "../chart.js";
import { drawn, element, put } from "../dom.js";
import { age, clock, isCounted, number, percent } from "../format.js";
import { Plan } from "../plan.js";
import { titled } from "../line.js";
import { say } from "../said.js";
import { assetName, assetOf, findings, get, here, known, nameOf, now, unitOf, watch } from "../shell.js";
import { buffer, lookOf, station } from "../stations.js";

const SHOWN = 6; // of a list
const AGAIN = 5000; // ms between two looks at the alarms
const STANDING = ["down", "hold", "idle"];

// what a tile of a kind must be told; signals: at most so many
const NEEDS = {
  value: { signals: 1 },
  trend: { signals: 6, span: true },
  state: { asset: true },
  kpi: { asset: true },
  line: {},
  stopped: {},
  alarms: {},
  text: { text: true },
  clock: {},
};

export const KINDS = Object.keys(NEEDS);
export const needs = (kind) => NEEDS[kind];

export function tileOf(told) {
  const Kind = { value: Value, trend: Trend, state: State, kpi: Kpi, line: Line, stopped: Stopped, alarms: Alarms, text: Text, clock: Clock }[told.kind];
  return Object.assign(new Kind(told), { kind: told.kind, size: told.size ?? "medium" });
}

class Value {
  constructor({ signals, title }) {
    [this.id] = signals;
    this.title = title || (this.id ? `${assetName(assetOf(this.id))} · ${nameOf(this.id)}` : "");
    this.figure = element("p", "figure");
    this.note = element("p", "quiet");
    this.element = element("div", "dash-value", this.figure, this.note);
  }

  build() {
    if (this.id) watch([this.id]);
    this.tick();
  }

  tick() {
    const { t } = here;
    const signal = known.signals.get(this.id);
    const [value, ms, status] = known.readings.get(this.id) ?? [null, null, 2];
    const gone = value === null || (status & 3) >= 2;
    const outside = !gone && signal && ((signal.low !== null && value < signal.low) || (signal.high !== null && value > signal.high));
    this.element.className = `dash-value ${gone ? "gone" : outside ? "outside" : ""}`;
    const shown = gone ? t.noData : number(value, t.locale, signal && !isCounted(signal));
    const key = `${shown}|${outside}`;
    if (this.key !== key) this.figure.replaceChildren(...(outside ? ["! "] : []), shown, element("small", "", gone || !signal ? "" : unitOf(signal.unit)));
    this.key = key;
    put(this.note, signal ? (ms === null ? "" : t.ago(age((now() - ms) / 1000, t.units))) : t.noSuchSignal(this.id ?? "–"));
  }
}

class Trend {
  constructor({ signals, span, title }) {
    this.signals = signals.filter((id) => known.signals.has(id));
    this.title = title || [...new Set(signals.map((id) => assetName(assetOf(id))))].join(", ");
    this.chart = new Chart({ signals: this.signals, span: (span ?? 3600) * 1000, height: 240, plain: true });
    this.element = this.signals.length ? this.chart.element : element("p", "quiet", here.t.noSuchSignal(signals.join(", ") || "–"));
  }

  build() {
    watch(this.signals);
    return this.signals.length ? this.chart.build() : undefined;
  }

  take(changed) {
    this.chart.take(changed);
  }

  tick() {
    if (this.signals.length) this.chart.tick();
  }

  leave() {
    this.chart.leave();
  }
}

class State {
  constructor({ asset, title }) {
    this.asset = asset;
    this.title = title || assetName(asset);
    this.word = element("p", "state");
    this.detail = element("p", "");
    this.element = element("div", "dash-state", this.word, this.detail);
  }

  build() {
    this.tick();
  }

  tick() {
    const told = station({ asset: this.asset, title: "" });
    const key = `${told.kind}|${told.label}|${told.since}`;
    if (this.key !== key) {
      this.word.className = `state ${told.kind}`;
      this.word.replaceChildren(element("strong", "", `${told.mark} ${told.label}`), element("small", "", told.since));
    }
    this.key = key;
    put(this.detail, [told.detail, told.figure].filter(Boolean).join(" · "));
  }
}

class Kpi {
  constructor({ asset, title }) {
    this.asset = asset;
    this.title = title || `${assetName(asset)} · ${here.t.kpi.oee}`;
    this.element = element("div", "dash-kpi");
  }

  build() {
    const { t } = here;
    const found = (name) => findings(name).find((each) => each.asset === this.asset);
    const tell = (finding) => (finding?.value == null ? "–" : `${percent(finding.value, t.locale)} %`);
    const oee = found("oee");
    const rows = ["availability", "effectiveness", "quality_ratio"].flatMap((name) => [element("dt", "", t.kpi[name]), element("dd", "", tell(found(name)))]);
    const why = oee ? (oee.value === null ? say(oee.reason) : "") : t.noKpi;
    this.element.replaceChildren(element("p", "figure", tell(oee)), element("dl", "facts", ...rows), element("p", "quiet", why));
  }

  take(changed) {
    if (changed("findings")) this.build();
  }
}

class Line {
  constructor({ title }) {
    this.title = title;
    this.svg = drawn("svg", { class: "plan" });
    this.empty = element("p", "quiet");
    this.element = element("div", "", this.svg, this.empty);
  }

  build() {
    [this.twin] = Object.keys(known.lines);
    const all = machines().map(({ id }) => ({ name: id, asset: id, title: assetName(id), inputs: [], outputs: [] }));
    this.plan ??= new Plan(this.svg, (asset) => `/machine/${encodeURIComponent(asset)}`);
    this.plan.show([this.twin ? titled(known.lines[this.twin]) : { title: "", stations: all, buffers: [] }]);
    put(this.empty, all.length ? "" : here.t.noMachines);
    this.tick();
  }

  tick() {
    this.plan?.update({ station: (each) => station(each), buffer: (each) => buffer(each, known.twins[this.twin]) });
  }
}

class Stopped {
  constructor({ title }) {
    this.title = title || here.t.kinds.stopped;
    this.element = element("ul", "dash-rows");
  }

  build() {
    this.tick();
  }

  tick() {
    const { t } = here;
    const all = machines().map(({ id }) => [id, lookOf(id)]);
    const standing = all.filter(([, look]) => STANDING.includes(look.kind) || look.kind === "none");
    standing.sort(([, a], [, b]) => (a.since ?? Infinity) - (b.since ?? Infinity));
    const rows = standing.slice(0, SHOWN).map(([asset, look]) => {
      const since = look.since === null ? "" : t.since(age((now() - look.since) / 1000, t.units));
      return element("li", "", element("span", `chip ${look.kind}`, `${look.mark} ${look.label}`), element("strong", "", assetName(asset)), element("span", "quiet", since));
    });
    if (standing.length > SHOWN) rows.push(element("li", "quiet", t.moreRows(standing.length - SHOWN)));
    const key = rows.map((row) => row.textContent).join("\n");
    if (this.key !== key) this.element.replaceChildren(...(rows.length ? rows : [element("li", "all-well", `✓ ${t.nothingStands}`)]));
    this.key = key;
  }
}

class Alarms {
  constructor({ title }) {
    this.title = title || here.t.titles.alarms;
    this.element = element("ul", "dash-rows");
    this.asked = 0;
  }

  build() {
    return this.ask();
  }

  tick() {
    if (performance.now() - this.asked > AGAIN) this.ask();
  }

  async ask() {
    const { t } = here;
    this.asked = performance.now();
    try {
      const { alarms } = await get("alarms");
      const active = alarms.filter((each) => each.active);
      const rows = active.slice(0, SHOWN).map((each) => element("li", "", element("span", `chip ${each.state === "acknowledged" ? "hold" : "down"}`, each.state === "acknowledged" ? "◇" : "◆"), element("strong", "", assetName(each.asset)), element("span", "", each.text)));
      if (active.length > SHOWN) rows.push(element("li", "quiet", t.moreRows(active.length - SHOWN)));
      this.element.replaceChildren(...(rows.length ? rows : [element("li", "all-well", `✓ ${t.noAlarms}`)]));
    } catch (problem) {
      this.element.replaceChildren(element("li", "quiet", problem instanceof TypeError ? t.failed : problem.message));
    }
  }
}

class Text {
  constructor({ title, text }) {
    this.title = title;
    this.element = element("p", "dash-text", text);
  }
}

class Clock {
  constructor({ title }) {
    this.title = title;
    this.element = element("p", "dash-clock");
  }

  tick() {
    put(this.element, clock(now(), here.t.locale, here.factory.timezone, false));
  }
}
