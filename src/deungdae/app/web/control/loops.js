// The loops: what each holds, at what, what it asks for, how far off it is, and what was decided.

import { $, button, element, put } from "../dom.js";
import { Chart } from "../chart.js";
import { number } from "../format.js";
import { because } from "../reason.js";
import { say } from "../said.js";
import { assetName, assetOf, at, here, known, may, nameOf, unitOf, watch } from "../shell.js";
import { askSeen, lookAgain } from "./asked.js";
import { result, rule, value } from "./words-of.js";

const SHOWN = 3; // loops whose trend is drawn at once

export class Loops {
  constructor() {
    this.cards = [];
  }

  build() {
    for (const card of this.cards) card.leave();
    const { loops } = known;
    this.cards = loops.map((loop, place) => new Card(loop, place < SHOWN));
    if (!loops.length) this.cards = [new Plain()];
    $("loops").replaceChildren(...this.cards.map((card) => card.element));
    watch(wanted());
  }

  take(changed) {
    if (changed("loops") && !changed("factory") && !this.fits()) this.build();
    for (const card of this.cards) card.take(changed);
    if (changed("loops")) lookAgain();
  }

  // whether the loops are still those that are drawn
  fits() {
    const names = this.cards.map((card) => card.name ?? "");
    return names.join() === (known.loops.length ? known.loops.map((loop) => loop.name).join() : "");
  }

  tick() {
    for (const card of this.cards) card.tick();
  }

  leave() {
    for (const card of this.cards) card.leave();
  }
}

function wanted() {
  const locks = (known.gate?.writable ?? []).flatMap((each) => [each.signal, ...each.interlocks.map((lock) => lock.signal)]);
  return [...new Set([...known.loops.flatMap((loop) => [loop.measurement, loop.output]), ...locks])];
}

class Card {
  constructor(loop, open) {
    const { t } = here;
    this.name = loop.name;
    this.chart = null;
    this.state = element("span", "chip");
    this.target = button("", t.changeTarget, () => this.changeTarget());
    this.figures = Object.fromEntries(["measured", "target", "error", "output"].map((name) => [name, element("dd")]));
    this.meter = element("span", "at");
    this.decision = element("p", "decision");
    this.trend = element("div", "loop-trend");
    this.fold = button("link", "", () => this.turn());
    const title = element("h2", "", `${assetName(assetOf(loop.measurement))} · ${nameOf(loop.measurement)}`);
    const figures = element(
      "dl",
      "figures",
      ...tile(t.measured, this.figures.measured),
      ...tile(t.setPoint, this.figures.target),
      ...tile(t.off, this.figures.error),
      ...tile(`${t.output} · ${nameOf(loop.output)}`, this.figures.output),
    );
    const head = element("div", "head", title, element("span", "quiet", loop.name), this.state, element("span", "push"), this.fold, this.target);
    this.element = element("section", "card loop", head, figures, element("div", "meter", this.meter), this.decision, this.trend);
    if (open) this.turn();
    else this.showFold();
    this.show();
  }

  get loop() {
    return known.loops.find((each) => each.name === this.name);
  }

  turn() {
    if (this.chart) {
      this.chart.leave();
      this.chart = null;
      this.trend.replaceChildren();
    } else {
      const { measurement, output } = this.loop;
      const targets = () => (this.loop?.set_point === null || !this.loop ? {} : { [measurement]: this.loop.set_point });
      this.chart = new Chart({ signals: [measurement, output], span: 15 * 60000, height: 360, targets });
      this.trend.append(this.chart.element);
      this.chart.build();
    }
    this.showFold();
  }

  showFold() {
    this.fold.textContent = this.chart ? here.t.hideTrend : here.t.showTrend;
    this.fold.setAttribute("aria-expanded", Boolean(this.chart));
  }

  take(changed) {
    this.chart?.take(changed);
    this.show();
  }

  show() {
    const { t } = here;
    const { loop } = this;
    if (!loop) return;
    const { problem, measurement, output, set_point: target, unit } = loop;
    const measured = reading(measurement);
    const given = reading(output);
    const silent = measured === null || given === null;
    this.state.className = `chip ${silent ? "none" : problem ? "hold" : "run"}`;
    put(this.state, silent ? `∅ ${t.noData}` : problem ? `◆ ${t.loopWaits}` : `▶ ${t.loopRuns}`);
    this.figures.measured.className = measured === null ? "none" : "";
    this.figures.output.className = given === null ? "none" : "";
    put(this.figures.measured, measured === null ? t.noData : value(measured, unit));
    put(this.figures.target, target === null ? t.noData : value(target, unit));
    put(this.figures.error, measured === null || target === null ? "–" : `${measured >= target ? "+" : "−"}${value(Math.abs(measured - target), unit)}`);
    put(this.figures.output, given === null ? t.noData : value(given, known.signals.get(output)?.unit ?? "1"));
    const { low = null, high = null } = this.limits(output);
    this.meter.parentElement.hidden = given === null || low === null || high === null;
    if (given !== null && low !== null) this.meter.style.left = `${Math.max(0, Math.min(1, (given - low) / (high - low))) * 100}%`;
    this.meter.parentElement.title = t.range(number(low, t.locale), number(high, t.locale));
    this.target.disabled = !may("engineer") || loop.source !== "";
    this.target.title = loop.source ? t.targetFrom(nameOf(loop.source)) : may("engineer") ? "" : t.needs(t.roles.engineer);
    this.decision.replaceChildren(...(problem ? [say(problem)] : decided(this.name, output)));
  }

  limits(output) {
    return known.gate?.writable.find((each) => each.signal === output) ?? known.signals.get(output) ?? {};
  }

  tick() {
    this.chart?.tick();
  }

  changeTarget() {
    const { t } = here;
    const { set_point: seen, measurement, unit, name } = this.loop;
    const { low = null, high = null } = known.signals.get(measurement) ?? {};
    const range = low === null && high === null ? "" : t.targetRange(low === null ? "" : value(low, unit), high === null ? "" : value(high, unit));
    const field = ["set_point", `${t.setPoint} (${unitOf(unit)})`, "number", seen];
    const wish = { title: t.targetTitle(nameOf(measurement)), text: `${t.targetNow(value(seen, unit))} ${range} ${t.targetText}`, yes: t.apply, path: `loops/${name}`, body: { seen }, fields: [field], reason: true };
    askSeen(wish, () => (this.loop?.set_point === seen ? "" : t.targetMeanwhile(this.loop ? value(this.loop.set_point, unit) : "–")));
  }

  leave() {
    this.chart?.leave();
  }
}

// a factory without loops: what may be written is still worth a look
class Plain {
  constructor() {
    const { t } = here;
    const signals = [...(known.gate?.writable ?? [])].slice(0, 4).map((each) => each.signal);
    this.name = "";
    this.chart = signals.length ? new Chart({ signals, span: 15 * 60000, height: 360 }) : null;
    this.chart?.build();
    this.element = element("section", "card", element("div", "head", element("h2", "", t.loopsTitle)), element("p", "quiet", t.noLoops), this.chart?.element ?? null);
  }

  take(changed) {
    this.chart?.take(changed);
  }

  tick() {
    this.chart?.tick();
  }

  leave() {
    this.chart?.leave();
  }
}

function tile(name, figure) {
  return [element("div", "", element("dt", "", name), figure)];
}

function reading(id) {
  const told = known.readings.get(id);
  return !told || (told[2] & 3) >= 2 || told[2] & 0x10 ? null : told[0];
}

// what became of the last wish of a loop
function decided(name, output) {
  const { t } = here;
  const last = known.gate?.outcomes.find((each) => each.command.signal === output && each.command.origin === name);
  if (known.gate?.proposals.some((each) => each.command.signal === output && each.command.origin === name)) return [element("strong", "", `… ${t.waitsForPerson}`)];
  if (!last) return [t.noDecision];
  const why = last.rule ? `${rule(last.rule)} — ${say(last.reason)}` : say(last.reason) || because(last.command);
  return [result(last.result), ` ${at(last.time)} · ${value(last.command.value, last.command.unit)} · ${why}`];
}
