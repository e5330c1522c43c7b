// The trend: of a loop's measurement and output, or of the signal that a person chose.

import { $ } from "../dom.js";
import { isCounted, number } from "../format.js";
import { ask, assetName, assetOf, get, here, known, may, nameOf, now, unitOf } from "../shell.js";
import { Plot, Series, SPAN } from "../trend.js";

export class Trend {
  constructor() {
    this.chosen = null; // id of a signal, or null: the loop's
    this.plots = [];
    this.told = new Map(); // ms of the newest reading that each plot has, by signal
    $("target").addEventListener("click", () => this.changeTarget());
    $("back").addEventListener("click", () => this.choose(null));
  }

  choose(id) {
    this.chosen = id;
    this.build();
  }

  build() {
    const loop = this.loop();
    const ids = loop ? [loop.measurement, loop.output] : [this.chosen ?? firstNumber()];
    const signals = ids.map((id) => known.signals.get(id)).filter(Boolean);
    $("plots").replaceChildren();
    this.plots = signals.map((signal, n) => this.plot(signal, n, signals.length, loop));
    this.showHead();
    for (const plot of this.plots) fill(plot.series);
  }

  plot(signal, n, count, loop) {
    const target = loop && n === 0 ? () => this.loop()?.set_point ?? null : null;
    const height = count === 1 ? 400 : n === 0 ? 270 : 150;
    const plot = new Plot($("plots"), { series: new Series(signal), target, height, axis: n === count - 1, held: signal.access === "rw" });
    plot.says = () => ({ locale: here.t.locale, zone: here.factory.timezone, label: nameOf(signal.id), targetLabel: here.t.setPoint, unit: unitOf(signal.unit) });
    return plot;
  }

  take(changed) {
    const readings = changed("readings") ?? {};
    for (const { series } of this.plots) {
      const reading = readings[series.signal.id];
      if (reading) follow(series, reading);
    }
    if (changed("loops") || changed("session")) this.showHead();
  }

  tick() {
    for (const plot of this.plots) plot.draw(now(), plot.says());
  }

  loop() {
    return this.chosen === null ? known.loops[0] : undefined;
  }

  showHead() {
    const { t } = here;
    const loop = this.loop();
    const main = loop?.measurement ?? this.chosen ?? firstNumber();
    $("trend-title").textContent = main ? `${assetName(assetOf(main))} · ${t.trendOf}` : t.trendOf;
    $("back").hidden = this.chosen === null || !known.loops.length;
    $("back").textContent = t.back;
    $("target").hidden = !loop || loop.source !== "";
    $("target").textContent = t.changeTarget;
    $("target").disabled = !may("engineer");
    $("trend-note").textContent = loop?.problem ? t.loopWaits(loop.problem) : main ? "" : t.noTrend;
  }

  changeTarget() {
    const { t } = here;
    const loop = this.loop();
    const value = ["set_point", `${t.setPoint} (${unitOf(loop.unit)})`, "number", loop.set_point];
    ask({ title: t.targetTitle(nameOf(loop.measurement)), text: t.targetText, yes: t.apply, path: `loops/${loop.name}`, fields: [value], reason: true });
  }
}

// what is drawn until a person chooses: a temperature, else what is measured, else anything
function firstNumber() {
  const numbers = [...known.signals.values()].filter((signal) => signal.kind === "number");
  const measured = numbers.filter((signal) => !isCounted(signal) && signal.access === "r");
  return (measured.find((signal) => signal.unit === "Cel") ?? measured[0] ?? numbers[0])?.id;
}

function follow(series, [value, ms, status]) {
  series.add(ms, (status & 3) >= 2 || status & 0x10 ? null : value);
}

async function fill(series) {
  const id = encodeURIComponent(series.signal.id);
  const told = await get(`samples?ids=${id}&from=-${SPAN + 60000}ms&every=1s&times=ns`).catch(() => null);
  if (!told) return; // the signal is new to the history, or the connection is gone, which is told
  const found = Object.values(told)[0];
  const later = series.points;
  series.points = [];
  found.start.forEach((start, n) => series.add(start / 1e6 + 500, found.count[n] ? found.mean[n] : null));
  for (const point of later) series.add(...point);
  const reading = known.readings.get(series.signal.id);
  if (reading) follow(series, reading);
}
