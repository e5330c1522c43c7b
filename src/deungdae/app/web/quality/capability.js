// How well processes fit their specifications: each index with its interval on one scale.

import { $, drawn, element, lettered } from "../dom.js";
import { number } from "../format.js";
import { say } from "../said.js";
import { analyses, assetName, findings, here, nameOf } from "../shell.js";

const INDICES = ["cp", "cpk", "pp", "ppk"];
const SCALE = { least: 0, most: 2.5, marks: [1, 1.33, 1.67] }; // 1.33: the usual demand, ISO 22514-2
const WIDTH = 260;
const HEIGHT = 26;

export class Capability {
  take(changed) {
    if (changed("findings") && !changed("factory")) this.build();
  }

  build() {
    const { t } = here;
    $("capability").hidden = !analyses("spc");
    if ($("capability").hidden) return;
    const found = INDICES.flatMap(findings);
    const origins = [...new Set(found.map((each) => each.origin))];
    $("capability-empty").textContent = origins.length ? "" : t.noCapability;
    $("capability-rows").replaceChildren(...origins.map((origin) => study(found.filter((each) => each.origin === origin))));
  }
}

function study(found) {
  const { t } = here;
  const [first] = found;
  const told = found.find((each) => each.value !== null);
  const parts = [element("h3", "", titleOf(first))];
  if (told) parts.push(element("p", "quiet", t.studied(told.evidence.parts, told.evidence.lsl ?? "–", told.evidence.usl ?? "–")));
  for (const each of found) parts.push(each.value === null ? element("p", "quiet", say(each.reason)) : row(each));
  return element("div", "study", ...parts);
}

function titleOf(finding) {
  const signal = findings("control").find((each) => each.origin === finding.origin)?.evidence.signal;
  return `${assetName(finding.asset)} · ${signal ? nameOf(signal) : finding.origin}`;
}

function row(finding) {
  const { t } = here;
  const [low, high] = [Number(finding.evidence.low), Number(finding.evidence.high)];
  const words = t.interval(number(low, t.locale, true), number(high, t.locale, true));
  const figure = element("strong", "", number(finding.value, t.locale, true));
  return element("div", "index", element("span", "index-name", t.indices[finding.name]), figure, scale(finding.value, low, high, words));
}

function scale(value, low, high, words) {
  const x = (index) => ((Math.min(Math.max(index, SCALE.least), SCALE.most) - SCALE.least) / (SCALE.most - SCALE.least)) * WIDTH;
  const kind = low >= SCALE.marks[1] ? "good" : high < SCALE.marks[0] ? "bad" : "fair";
  const svg = drawn("svg", { class: `interval ${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
  for (const mark of SCALE.marks) {
    svg.append(drawn("line", { class: "mark", x1: x(mark), x2: x(mark), y1: 0, y2: 15 }), lettered("tick", x(mark), HEIGHT - 1, String(mark)));
  }
  svg.append(drawn("line", { class: "reach", x1: x(low), x2: x(high), y1: 7, y2: 7 }), drawn("circle", { class: "at", cx: x(value), cy: 7, r: 4.5 }, drawn("title", {}, words)));
  return svg;
}
