// The indicators of each machine: OEE and its factors, with what they can be at worst and best.

import { $, element } from "../dom.js";
import { age, number, percent } from "../format.js";
import { assetName, at, here, known, unitOf } from "../shell.js";

const KPIS = ["oee", "availability", "effectiveness", "quality_ratio", "throughput_rate"];
const OWN = ["control", "spread", "inspection", "drift", "believable"]; // findings that have a card of their own
const FEW = 2; // machines; of more there is one tile each

export class Indicators {
  take(changed) {
    if ((changed("findings") || changed("waiting")) && !changed("factory")) this.build();
  }

  build() {
    const assets = new Map();
    for (const finding of known.findings) {
      if (!KPIS.includes(finding.name) && finding.name !== "unknown") continue;
      const key = `${finding.origin} ${finding.asset}`;
      if (!assets.has(key)) assets.set(key, { asset: finding.asset, by: {} });
      assets.get(key).by[finding.name] = finding;
    }
    const place = (each) => known.assets.findIndex((asset) => asset.id === each.asset);
    const found = [...assets.values()].sort((a, b) => place(a) - place(b)); // in the order of the file
    const rows = found.length > FEW ? [element("div", "oees", ...found.map(tileOf))] : found.map(rowOf);
    for (const [key, reason] of Object.entries(known.waiting)) {
      if (key.startsWith("insight.")) rows.push(element("p", "quiet", `${key}: ${reason}`));
    }
    for (const finding of known.findings) if (finding.severity > 1 && !OWN.includes(finding.name)) rows.push(notice(finding));
    $("kpi-rows").replaceChildren(...(rows.length ? rows : [element("p", "quiet", here.t.noKpi)]));
  }
}

function tileOf({ asset, by }) {
  const parts = [element("h3", "", assetName(asset))];
  if (by.oee) parts.push(tile("oee", by.oee));
  const factors = ["availability", "effectiveness", "quality_ratio"].filter((name) => by[name]);
  parts.push(element("dl", "", ...factors.flatMap((name) => factor(name, by[name]))));
  const unsure = share(by);
  if (unsure !== null && unsure > 1) parts.push(element("p", "unknown", element("span", "swatch"), `${here.t.unknownShort} ${percent(unsure, here.t.locale)} %`));
  const made = element("article", "one", ...parts);
  if (unsure > 50) made.classList.add("unsure");
  return made;
}

function factor(name, finding) {
  const value = element("dd", "", finding.value === null ? "–" : `${percent(finding.value, here.t.locale)} %`);
  value.title = finding.value === null ? finding.reason : (finding.evidence.formula ?? "");
  return [element("dt", "", here.t.kpi[name]), value];
}

function rowOf({ asset, by }) {
  const any = by.oee ?? Object.values(by)[0];
  const head = element("h3", "", assetName(asset), element("small", "quiet", here.t.kpiPeriod(at(any.start, false), at(any.end, false))));
  const tiles = element("div", "tiles", ...KPIS.filter((name) => by[name]).map((name) => tile(name, by[name])));
  const parts = [head, tiles];
  const unsure = share(by);
  if (unsure !== null) {
    if (unsure > 50) tiles.classList.add("unsure");
    parts.push(element("p", "unknown", element("span", "swatch"), `${here.t.unknown}: ${percent(unsure, here.t.locale)} % (${age(by.unknown.value, here.t.units)})`));
    if (by.unknown.reason) parts.push(element("p", "quiet", by.unknown.reason));
  }
  return element("div", "kpi", ...parts);
}

// share of the planned time whose state is not known, %, or null
function share(by) {
  const planned = Number.parseFloat(by.unknown?.evidence.PBT);
  return by.unknown && planned > 0 ? (by.unknown.value / planned) * 100 : null;
}

export function tile(name, finding) {
  const { t } = here;
  const shares = finding.unit === "%";
  const value = finding.value === null ? "–" : shares ? percent(finding.value, t.locale) : number(finding.value, t.locale);
  const figure = element("p", "figure", value, element("small", "", finding.value === null ? "" : unitOf(finding.unit)));
  const made = element("div", `tile ${name}`, element("p", "label", t.kpi[name]), figure);
  made.title = `${finding.evidence.formula ?? ""}\n${finding.reason}`;
  const { low, high } = finding.evidence;
  if (finding.value === null) made.append(element("p", "quiet", `${t.cannot}: ${finding.reason}`));
  else if (shares) made.append(bar(finding.value, low, high));
  if (finding.value !== null && low !== undefined) {
    const form = shares ? percent : number;
    made.append(element("p", "quiet range", t.range(form(Number(low), t.locale), form(Number(high), t.locale))));
  }
  return made;
}

function bar(value, low, high) {
  const made = element("div", "bar");
  if (low !== undefined) {
    const possible = element("span", "possible");
    possible.style.left = `${clamp(low)}%`;
    possible.style.width = `${clamp(high) - clamp(low)}%`;
    made.append(possible);
  }
  const mark = element("span", "at");
  mark.style.left = `${clamp(value)}%`;
  made.append(mark);
  return made;
}

function clamp(value) {
  return Math.min(100, Math.max(0, Number(value)));
}

function notice(finding) {
  const label = finding.severity > 2 ? "■" : "◆";
  return element("p", "notice", `${label} ${assetName(finding.asset)} · ${finding.name}: ${finding.reason}`);
}
