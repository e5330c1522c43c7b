// What waits for a person: what is wanted, why, what the gate will check, and until when.

import { $, button, element, put } from "../dom.js";
import { Chart } from "../chart.js";
import { age, number } from "../format.js";
import { because } from "../reason.js";
import { say } from "../said.js";
import { ask, at, here, known, may, nameOf, now, unitOf } from "../shell.js";
import { askSeen, lookAgain } from "./asked.js";
import { change, signalName, value, who } from "./words-of.js";

export class Proposals {
  // told: called with what came of an approval
  constructor(told) {
    this.told = told;
    this.cards = new Map(); // by the id of the command
  }

  build() {
    for (const card of this.cards.values()) card.leave();
    this.cards.clear();
    $("proposals").replaceChildren();
    this.show();
  }

  take(changed) {
    if (changed("gate") || changed("session")) this.show();
    for (const card of this.cards.values()) card.chart?.take(changed);
  }

  // those that stay are not made anew: who stands on a button of one goes on standing there
  show() {
    const { gate } = known;
    if (!gate) return;
    const waiting = gate.proposals;
    const ids = new Set(waiting.map((each) => each.command.id));
    for (const [id, card] of this.cards) {
      if (ids.has(id)) continue;
      card.leave();
      this.cards.delete(id);
    }
    for (const each of waiting) {
      if (this.cards.has(each.command.id)) continue;
      const card = new Card(each, this.told);
      this.cards.set(each.command.id, card);
      $("proposals").append(card.element);
    }
    for (const card of this.cards.values()) card.show();
    $("asking").hidden = !waiting.length;
    put($("asking-count"), waiting.length ? here.t.waiting(waiting.length) : "");
    $("holding").hidden = !Object.keys(gate.held).length;
    $("held").replaceChildren(...Object.entries(gate.held).map(([id, reason]) => heldSignal(id, reason)));
    lookAgain();
  }

  tick() {
    for (const card of this.cards.values()) card.tick();
  }

  leave() {
    for (const card of this.cards.values()) card.leave();
  }
}

class Card {
  constructor(proposal, told) {
    const { t } = here;
    const { command } = proposal;
    this.proposal = proposal;
    this.told = told;
    this.text = change(command, proposal.previous);
    this.rest = element("span", "rest");
    this.bar = element("span", "left");
    this.checks = element("ul", "checks");
    this.yes = button("primary", t.approve, () => this.approve());
    this.no = button("", t.decline, () => this.decline());
    for (const each of [this.yes, this.no]) each.setAttribute("aria-label", `${each.textContent}: ${this.text}`);
    const loop = known.loops.find((each) => each.name === command.origin);
    const signals = loop ? [loop.measurement, loop.output] : [command.signal];
    const targets = () => (loop?.set_point === undefined || loop?.set_point === null ? {} : { [loop.measurement]: loop.set_point });
    this.chart = new Chart({ signals, span: 15 * 60000, height: loop ? 240 : 150, plain: true, targets });
    this.chart.build();
    const facts = element(
      "dl",
      "facts-list",
      ...pair(t.askedBy, `${who(command.origin)} · ${at(command.issued)}`),
      ...pair(t.because, because(command) || "–"),
      ...evidence(command.origin).flatMap(([name, words]) => pair(name, words)),
    );
    const own = proposal.mode === "approve";
    const deeds = element("menu", "", this.no, this.yes);
    deeds.hidden = !own;
    const left = element("div", "", element("h3", "", this.text), element("p", "quiet", signalName(command.signal)), facts, element("h4", "", t.gateChecks), this.checks);
    const right = element("div", "", this.chart.element);
    const foot = element("div", "foot", element("p", "expiry", this.bar, this.rest), own ? null : element("p", "", t.adviseOnly), deeds);
    this.element = element("article", "proposal", left, right, foot);
    this.element.setAttribute("aria-label", this.text);
  }

  show() {
    this.yes.disabled = this.no.disabled = !may("operator");
    this.yes.title = this.no.title = may("operator") ? "" : here.t.needs(here.t.roles.operator);
  }

  tick() {
    const { t } = here;
    const { command } = this.proposal;
    const seconds = (Date.parse(command.expires) - now()) / 1000;
    const whole = (Date.parse(command.expires) - Date.parse(command.issued)) / 1000;
    put(this.rest, seconds > 0 ? t.expiresIn(age(Math.ceil(seconds), t.units)) : t.expired);
    this.bar.style.width = `${Math.max(0, Math.min(1, seconds / whole)) * 6}rem`;
    this.bar.classList.toggle("soon", seconds < 10);
    this.check();
    this.chart.tick();
    lookAgain();
  }

  // what the gate will look at, as it seems from here; it judges for itself when it comes to it
  check() {
    const made = checks(this.proposal);
    const words = made.map((each) => each.join("|")).join("\n");
    if (words === this.checked) return;
    this.checked = words;
    this.checks.replaceChildren(...made.map(([good, text]) => element("li", good ? "good" : "bad", `${good ? "✓" : "✕"} ${text}`)));
  }

  // says in words what has changed since the proposal was made, or ""
  changed() {
    const { t } = here;
    const { command } = this.proposal;
    const found = known.gate.proposals.find((each) => each.command.id === command.id);
    if (known.gate.killed) return t.killedMeanwhile;
    if (Date.parse(command.expires) <= now()) return t.expiredMeanwhile;
    if (!found) return t.goneMeanwhile;
    if (found.command.value !== command.value || found.command.expires !== command.expires) return t.otherMeanwhile;
    return known.gate.mode === "approve" || known.gate.mode === "auto" ? "" : t.modeMeanwhile(t.modes[known.gate.mode]);
  }

  path() {
    return `proposals/${encodeURIComponent(this.proposal.command.id)}`;
  }

  approve() {
    const { t } = here;
    const { value, expires } = this.proposal.command;
    const text = `${this.text}. ${t.approveText}`;
    askSeen({ title: t.approveTitle, text, yes: t.approve, path: `${this.path()}/approve`, body: { value, expires }, done: this.told }, () => this.changed());
  }

  decline() {
    const { t } = here;
    askSeen({ title: t.declineTitle, text: this.text, yes: t.decline, path: `${this.path()}/decline` }, () => this.changed());
  }

  leave() {
    this.chart.leave();
    this.element.remove();
  }
}

function pair(name, words) {
  return [element("dt", "", name), element("dd", "", words)];
}

// the newest findings of whoever asks, so that its reason can be judged
function evidence(origin) {
  const { t } = here;
  return known.findings
    .filter((finding) => finding.origin === origin)
    .slice(0, 3)
    .map((finding) => {
      const figure = finding.value === null ? "" : value(finding.value, finding.unit);
      const sure = finding.uncertainty === null ? "" : ` ± ${number(finding.uncertainty, t.locale)}`;
      return [finding.name, [figure + sure, say(finding.reason)].filter(Boolean).join(" — ") || "–"];
    });
}

function checks({ command, previous }) {
  const { t } = here;
  const listed = known.gate.writable.find((each) => each.signal === command.signal);
  const seconds = (Date.parse(command.expires) - now()) / 1000;
  const found = [[seconds > 0, t.checkExpiry]];
  if (!listed) return found;
  const unit = unitOf(command.unit);
  const figure = (n) => number(n, t.locale);
  const reading = known.readings.get(command.signal);
  const present = reading ? reading[0] : previous;
  const good = Boolean(reading) && (reading[2] & 3) === 0;
  const step = present === null ? null : Math.abs(command.value - present);
  found.push([command.value >= listed.low && command.value <= listed.high, t.checkLimits(figure(listed.low), figure(listed.high), unit)]);
  found.push([good, t.checkGood]);
  found.push([step !== null && step <= listed.step * (1 + 1e-9), t.checkStep(step === null ? "–" : figure(step), figure(listed.step), unit)]);
  if (listed.rate) found.push([true, t.checkRate(figure(listed.rate), unit)]);
  for (const lock of listed.interlocks) found.push(interlock(lock));
  return found;
}

function interlock({ signal, low = null, high = null }) {
  const { t } = here;
  const reading = known.readings.get(signal);
  const unit = known.signals.get(signal)?.unit ?? "1";
  const holds = Boolean(reading) && (reading[2] & 3) === 0 && (low === null || reading[0] >= low) && (high === null || reading[0] <= high);
  const range = [low === null ? "" : `≥ ${value(low, unit)}`, high === null ? "" : `≤ ${value(high, unit)}`].filter(Boolean).join(", ");
  return [holds, t.checkLock(nameOf(signal), range, reading ? value(reading[0], unit) : "–")];
}

function heldSignal(id, reason) {
  const { t } = here;
  const looked = button("", t.clear, () => ask({ title: t.clearTitle, text: `${signalName(id)}: ${say(reason)}`, yes: t.clear, path: "gate/clear", body: { signal: id } }));
  looked.disabled = !may("engineer");
  looked.title = looked.disabled ? t.needs(t.roles.engineer) : "";
  return element("li", "", element("div", "", element("strong", "", signalName(id)), element("p", "", say(reason)), element("p", "quiet", t.heldWords)), looked);
}
