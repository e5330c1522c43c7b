// How commands, rules and times are said.

import { element } from "../dom.js";
import { number } from "../format.js";
import { assetName, assetOf, here, isKorean, known, nameOf, unitOf } from "../shell.js";

const MARKS = { written: "✓", held: "…", refused: "✕", failed: "!", declined: "–", permit: "→" };

export function value(figure, unit) {
  return `${number(figure, here.t.locale)} ${unitOf(unit)}`.trim();
}

export function signalName(id) {
  return `${assetName(assetOf(id))} · ${nameOf(id)}`;
}

// from what to what, and by how much
export function change({ signal, value: wanted, unit }, previous) {
  const from = previous === null || previous === undefined ? "" : `${number(previous, here.t.locale)} → `;
  const by = from ? ` (${wanted >= previous ? "+" : "−"}${number(Math.abs(wanted - previous), here.t.locale)})` : "";
  return `${nameOf(signal)} ${from}${value(wanted, unit)}${by}`;
}

export function rule(name) {
  return known.rules[name]?.[isKorean() ? "ko" : "en"] ?? name;
}

export function who(origin) {
  if (origin.startsWith("person:")) return origin.slice("person:".length);
  return known.loops.some((loop) => loop.name === origin) ? here.t.loopNamed(origin) : origin;
}

export function result(kind) {
  return element("strong", `result ${kind}`, `${MARKS[kind] ?? "●"} ${here.t.results[kind] ?? here.t.entryKinds[kind] ?? kind}`);
}
