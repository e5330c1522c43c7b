// The gate: its mode, the switch that stops all writes, what waits for a person, what was done.

import { $, button, element } from "../dom.js";
import { number } from "../format.js";
import { ask, at, here, isKorean, known, may, nameOf, unitOf } from "../shell.js";

const LOGGED = 8; // last commands that are shown
const MARKS = { written: "✓", held: "…", refused: "✕", failed: "!" };

export class Gate {
  constructor() {
    this.outcomes = [];
  }

  take(changed) {
    if (changed("gate")) this.record(changed("gate"));
    if ((changed("gate") || changed("session")) && !changed("factory")) this.build();
  }

  record(gate) {
    for (const outcome of [...gate.outcomes].reverse()) {
      const { signal, origin } = outcome.command;
      const { result, rule } = outcome;
      const same = this.outcomes.find((each) => each.signal === signal && each.result === result && each.rule === rule && each.origin === origin);
      if (same && same.last.command.id === outcome.command.id) continue;
      const entry = same ?? { signal, origin, result, rule, count: 0 };
      entry.count += 1;
      entry.last = outcome;
      // those that go on stay where they are: a list that jumps cannot be read
      if (!same) this.outcomes = [entry, ...this.outcomes].slice(0, LOGGED);
    }
  }

  build() {
    const { t } = here;
    const { gate } = known;
    const names = gate.mode === "none" ? ["none"] : ["off", "shadow", "advise", "approve", "auto"];
    $("modes").replaceChildren(...names.map((name) => mode(name, name === gate.mode)));
    $("modes").classList.toggle("blocked", Boolean(gate.killed));
    $("mode-words").textContent = gate.killed ? t.blocked : t.modeWords[gate.mode];
    $("proposals").replaceChildren(...gate.proposals.map(proposal));
    $("held").replaceChildren(...Object.entries(gate.held).map(([id, reason]) => heldSignal(id, reason)));
    const outcomes = this.outcomes.map(outcome);
    $("outcomes").replaceChildren(...(outcomes.length ? outcomes : [element("li", "quiet", t.noCommands)]));
  }
}

function mode(name, chosen) {
  const item = element("li", chosen ? "chosen" : "", here.t.modes[name]);
  if (chosen) item.setAttribute("aria-current", "true");
  return item;
}

function wish(command) {
  return `${nameOf(command.signal)} → ${number(command.value, here.t.locale)} ${unitOf(command.unit)}`;
}

function proposal(each) {
  const { t } = here;
  const path = `proposals/${encodeURIComponent(each.command.id)}`;
  const text = wish(each.command);
  const yes = button("", t.approve, () => ask({ title: t.approveTitle, text, yes: t.approve, path: `${path}/approve` }));
  const no = button("", t.decline, () => ask({ title: t.declineTitle, text, yes: t.decline, path: `${path}/decline` }));
  yes.disabled = no.disabled = !may("operator");
  return element("div", "proposal", element("p", "", element("strong", "", text), ` — ${t.waitsForPerson}`), element("p", "quiet", each.command.because), element("menu", "", no, yes));
}

function heldSignal(id, reason) {
  const { t } = here;
  const looked = button("", t.clear, () => ask({ title: t.clearTitle, text: `${nameOf(id)}: ${reason}`, yes: t.clear, path: "gate/clear", body: { signal: id } }));
  looked.disabled = !may("operator");
  return element("div", "proposal", element("p", "", element("strong", "", `${t.held}: ${nameOf(id)}`)), element("p", "", reason), element("menu", "", looked));
}

function outcome(each) {
  const { last } = each;
  const rule = known.rules[last.rule]?.[isKorean() ? "ko" : "en"];
  const when = each.count > 1 ? `${here.t.times(each.count)} · ${at(last.time)}` : at(last.time);
  const result = element("strong", last.result, `${MARKS[last.result]} ${here.t.results[last.result]}`);
  const head = element("p", "", result, ` ${wish(last.command)}`, element("span", "push"), element("span", "quiet", when));
  const why = last.rule ? `${rule ?? last.rule} (${last.rule}) — ${last.reason}` : last.reason || last.command.because;
  return element("li", last.result, head, element("p", "quiet", `${last.command.origin.replace("person:", "")}: ${why}`));
}
