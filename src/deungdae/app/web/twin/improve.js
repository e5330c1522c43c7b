// A plan of improvement: the twin tries what may be changed within a budget, and says how sure it is.

import { $, element } from "../dom.js";
import { number, percent } from "../format.js";
import { say } from "../said.js";
import { assetName, get, here, known, send, unitOf } from "../shell.js";

export class Improve {
  constructor() {
    $("improve-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
  }

  async build() {
    const [twin] = Object.keys(known.lines);
    this.twin = twin;
    const told = twin && (await get(`twins/${encodeURIComponent(twin)}`).catch(() => null));
    $("improve").hidden = !told?.improvable;
    $("currency").textContent = here.factory.currency;
    if (this.plan) this.show();
  }

  async ask() {
    $("improve-ask").disabled = true;
    $("improve-note").textContent = here.t.improving;
    try {
      this.plan = await send(`twins/${encodeURIComponent(this.twin)}/improve`, { budget: $("budget").value, begin: $("begin").value });
      this.show();
    } catch (problem) {
      $("improve-note").textContent = `! ${problem.message}`;
    }
    $("improve-ask").disabled = false;
  }

  show() {
    const { t } = here;
    const { plan } = this;
    const chance = plan.chance ? t.chance(percent(plan.chance * 100, t.locale)) : t.noChance;
    $("improve-note").textContent = `${t.improved(plan.tried)} ${chance}`;
    const head = element("thead", "", element("tr", "", ...[t.change, t.cost, t.figures.throughput].map((word) => element("th", "", word))));
    const best = plan.changes.join();
    const finalists = [...plan.finalists].sort((a, b) => (b.changes.join() === best) - (a.changes.join() === best) || b.mean - a.mean);
    const rows = finalists.map((each) => row(each, each.changes.join() === best));
    $("improve-plan").replaceChildren(element("table", "", head, element("tbody", "", ...rows)), element("p", "verdict better", effect(plan.answer)), ...plan.notes.map((note) => element("p", "quiet", say(note))));
  }
}

function row(candidate, best) {
  const { t } = here;
  const words = candidate.changes.map(spoken).join(", ") || t.asItIs;
  return element(
    "tr",
    best ? "best" : "",
    element("td", "", `${best ? "★ " : ""}${words}`),
    element("td", "number", `${number(Number(candidate.cost), t.locale)} ${here.factory.currency}`),
    element("td", "number", `${number(candidate.mean, t.locale, true)} ${unitOf("{part}/h")}`),
  );
}

// what the chosen plan changes, tried once more on random numbers of its own
function effect(answer) {
  const { t } = here;
  const found = answer.measures.throughput;
  if (!found || found.verdict === "same") return "";
  const { mean, low, high } = found.difference;
  const sign = (value) => `${value > 0 ? "+" : "−"}${number(Math.abs(value), t.locale, true)}`;
  return `★ ${t.effect}: ${sign(mean)} ${unitOf("{part}/h")} (95 % ${sign(low)} … ${sign(high)})`;
}

// change: `press-2.cycle=*0.9`
function spoken(change) {
  const [target, value] = change.split("=");
  const owner = target.slice(0, target.indexOf("."));
  const what = target.slice(target.indexOf(".") + 1);
  return `${assetName(owner)} ${here.t.keys[what] ?? what} ${value.replace("*", "×")}`;
}
