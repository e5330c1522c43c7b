// The gate: a scale of modes, each with what it means; who set it; what it last decided.

import { $, button, element, put } from "../dom.js";
import { because } from "../reason.js";
import { say } from "../said.js";
import { at, get, here, known, may, moment } from "../shell.js";
import { askSeen, lookAgain } from "./asked.js";
import { change, result, rule, who } from "./words-of.js";

const MODES = ["off", "shadow", "advise", "approve", "auto"]; // each lets more through
const LOGGED = 8; // last decisions that are shown

export class Gate {
  constructor() {
    this.decisions = [];
    this.by = null; // who set the mode, of which mode
    this.drawn = "";
  }

  build() {
    this.drawn = "";
    this.record(known.gate);
    this.show();
  }

  take(changed) {
    if (changed("gate") && !changed("factory")) this.record(changed("gate"));
    if ((changed("gate") || changed("session")) && !changed("factory")) this.show();
  }

  show() {
    const { t } = here;
    const { gate } = known;
    const drawn = JSON.stringify([gate.mode, gate.ceiling, gate.killed, may("engineer"), t.locale]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.drawScale(gate);
      this.learn(gate);
    }
    const items = this.decisions.map(decision);
    $("decisions").replaceChildren(...(items.length ? items : [element("li", "quiet", t.noCommands)]));
    lookAgain();
  }

  drawScale(gate) {
    const { t } = here;
    const at = [...$("modes").querySelectorAll("button")].indexOf(document.activeElement);
    const words = gate.killed ? t.blocked : gate.mode === "none" ? t.modeWords.none : t.nowMode(t.modes[gate.mode]);
    put($("gate-now"), words);
    $("gate-now").className = gate.killed ? "blocked" : "";
    const names = gate.mode === "none" ? [] : MODES;
    $("modes").replaceChildren(...names.map((name) => this.mode(name, gate)));
    if (at >= 0) $("modes").querySelectorAll("button")[at]?.focus();
  }

  mode(name, gate) {
    const { t } = here;
    const chosen = name === gate.mode;
    const above = !gate.modes.includes(name);
    const head = element("p", "", element("strong", "", t.modes[name]), name === gate.ceiling ? element("span", "chip", t.ceiling) : null);
    const item = element("li", [chosen && "chosen", above && "above"].filter(Boolean).join(" "), element("div", "", head, element("p", "quiet", above ? t.aboveCeiling : t.modeWords[name])));
    if (chosen) item.setAttribute("aria-current", "true");
    else if (!above) {
      const go = button("", t.switchTo, () => this.ask(name));
      go.setAttribute("aria-label", t.switchTitle(t.modes[name]));
      go.disabled = !may("engineer");
      go.title = go.disabled ? t.needs(t.roles.engineer) : "";
      item.append(go);
    }
    return item;
  }

  ask(mode) {
    const { t } = here;
    const seen = known.gate.mode;
    const rises = MODES.indexOf(mode) > MODES.indexOf(seen);
    const wish = { title: t.switchTitle(t.modes[mode]), text: `${t.modes[seen]} → ${t.modes[mode]}. ${t.modeWords[mode]} ${rises ? t.rises : ""}`, yes: t.apply, path: "gate/mode", body: { mode, seen }, reason: true };
    askSeen(wish, () => (known.gate.killed ? t.killedMeanwhile : known.gate.mode === seen ? "" : t.modeMeanwhile(t.modes[known.gate.mode])));
  }

  // who set the mode stands in the journal, for those who may read it
  async learn(gate) {
    put($("gate-by"), gate.mode === gate.ceiling ? here.t.byFile : "");
    if (!may("operator") || gate.mode === "none") return;
    const told = await get("journal/page?from=-300d&kinds=mode&limit=1").catch(() => null);
    const entry = told?.entries[0];
    if (!entry || entry.data.what !== gate.mode || !$("gate-by")) return;
    put($("gate-by"), here.t.setBy(entry.who, moment(entry.time), entry.data.reason ?? ""));
  }

  // of the same decision, again and again, one line with how often it came
  record(gate) {
    for (const outcome of [...gate.outcomes].reverse()) this.note(outcome);
  }

  // what a person has just brought about
  hear(outcome) {
    this.note(outcome);
    this.show();
    put($("gate-told"), `${here.t.results[outcome.result]}: ${change(outcome.command)}`);
  }

  note(outcome) {
    const { signal, origin } = outcome.command;
    const same = this.decisions.find((each) => each.signal === signal && each.result === outcome.result && each.rule === outcome.rule && each.origin === origin);
    if (same && same.last.command.id === outcome.command.id) return;
    const entry = same ?? { signal, origin, result: outcome.result, rule: outcome.rule, count: 0 };
    entry.count += 1;
    entry.last = outcome;
    // those that go on stay where they are: a list that jumps cannot be read
    if (!same) this.decisions = [entry, ...this.decisions].slice(0, LOGGED);
  }
}

function decision(each) {
  const { t } = here;
  const { last } = each;
  const when = each.count > 1 ? `${t.timesOf(each.count)} · ${at(last.time)}` : at(last.time);
  const head = element("p", "", result(last.result), ` ${change(last.command)}`, element("span", "push"), element("span", "quiet", when));
  const why = last.rule ? `${rule(last.rule)} (${last.rule}) — ${say(last.reason)}` : say(last.reason) || because(last.command);
  return element("li", last.result, head, element("p", "quiet", `${who(last.command.origin)}: ${why}`));
}
