// Electric energy: what each machine has used today, what it draws now, and the highest demand.

import { $, element } from "../dom.js";
import { number } from "../format.js";
import { powerOf, powerOfAll } from "../power.js";
import { analyses, assetName, at, findings, here } from "../shell.js";

const DRAWN = 5000; // ms between two looks at what machines draw

export class Energy {
  constructor() {
    this.drawn = 0;
  }

  take(changed) {
    if (changed("findings") && !changed("factory")) this.build();
  }

  tick() {
    if (performance.now() - this.drawn > DRAWN) this.build();
  }

  build() {
    this.drawn = performance.now();
    $("energy").hidden = !analyses("energy");
    if ($("energy").hidden) return;
    const { t } = here;
    const sites = new Set(findings("demand").map((finding) => finding.asset));
    const used = findings("energy");
    const machines = used.filter((finding) => !sites.has(finding.asset));
    $("energy-empty").textContent = used.length ? "" : t.noEnergy;
    $("energy-rows").hidden = !used.length;
    const rows = machines.map((finding) => [finding, powerOf(finding.asset)]).sort(([a], [b]) => (b.value ?? -1) - (a.value ?? -1));
    const most = Math.max(...rows.map(([finding]) => finding.value ?? 0), 1e-9);
    const site = used.find((finding) => sites.has(finding.asset));
    $("energy-total").replaceChildren(...(site ? [figure(t.usedToday, site)] : []), now(), ...peak());
    $("energy-body").replaceChildren(...rows.map(([finding, power]) => row(finding, power, most)));
  }
}

function tile(label, value, unit, note) {
  const figure = element("p", "figure", value === null ? "–" : number(value, here.t.locale, true), element("small", "", value === null ? here.t.noData : unit));
  return element("div", "tile", element("p", "label", label), figure, element("p", "quiet", note));
}

function figure(label, finding) {
  const made = tile(label, finding.value, "kWh", here.t.fromTo(at(finding.start, false), at(finding.end, false)));
  made.title = finding.reason;
  return made;
}

function now() {
  const demand = findings("demand")[0];
  const note = demand && demand.value !== null ? `${here.t.demand} ${number(demand.value, here.t.locale, true)} kW` : "";
  return tile(here.t.drawnNow, powerOfAll(), "kW", note);
}

function peak() {
  const found = findings("peak_demand")[0];
  if (!found) return [];
  const made = tile(here.t.peak, found.value, "kW", found.evidence.from ? here.t.from(at(found.evidence.from, false)) : "");
  made.title = found.reason;
  return [made];
}

function row(finding, power, most) {
  const { t } = here;
  const full = element("span");
  full.style.width = `${((finding.value ?? 0) / most) * 100}%`;
  const head = element("th", "", assetName(finding.asset));
  head.scope = "row";
  const cell = (value, unit) => element("td", value === null ? "missing" : "", value === null ? t.noData : `${number(value, t.locale, true)} ${unit}`);
  const made = element("tr", "", head, element("td", "wide", element("div", "share", full)), cell(finding.value, "kWh"), cell(power, "kW"));
  made.title = finding.reason;
  return made;
}
