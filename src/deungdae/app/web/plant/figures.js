// A few figures of now, each leading to the page that explains it.

import { findingsOf, machines } from "../assets.js";
import { $, element } from "../dom.js";
import { number, percent } from "../format.js";
import { powerOfAll } from "../power.js";
import { say } from "../said.js";
import { findings, here, known, unitOf } from "../shell.js";

const ROWS = 4; // machines of a card
const DRAWN = 400; // ms between two looks

export class Figures {
  constructor() {
    this.drawn = 0;
  }

  build() {
    this.said = "";
    this.drawn = 0;
    $("figures").setAttribute("aria-label", here.t.figures);
    this.tick();
  }

  tick() {
    if (performance.now() - this.drawn < DRAWN) return;
    this.drawn = performance.now();
    const cards = [shift(), energy(), alarms(), quality()].filter(Boolean);
    const said = cards.map((each) => each.textContent).join("|");
    if (said !== this.said) $("figures").replaceChildren(...cards);
    this.said = said;
  }
}

function card(place, title, ...content) {
  const link = element("a", "card figure-card", element("h2", "", title), ...content);
  link.href = place;
  return link;
}

function big(value, unit, kind = "") {
  return element("p", `figure ${kind}`.trim(), value, element("small", "", unit));
}

// OEE and counts of this shift, the lowest OEE first
function shift() {
  const { t } = here;
  const found = machines().map((asset) => ({ asset, oee: findingsOf(asset.id).find((each) => each.name === "oee") })).filter(({ oee }) => oee);
  if (!found.length) return null;
  const worth = ({ oee }) => oee.value ?? Infinity;
  const rows = found.sort((a, b) => worth(a) - worth(b)).slice(0, ROWS).flatMap(({ asset, oee }) => {
    const made = oee.evidence["PQ known"] ?? oee.evidence.PQ;
    const count = made === undefined ? "" : `${number(Number(made), t.locale)} ${t.annotations.part}`;
    const value = element("dd", "", element("span", "quiet", count), oee.value === null ? "–" : `${percent(oee.value, t.locale)} %`);
    value.title = say(oee.reason);
    return [element("dt", "", asset.name || asset.id), value];
  });
  return card("/shift", t.oeeNow, element("dl", "facts", ...rows));
}

function energy() {
  const { t } = here;
  const power = powerOfAll();
  const sites = findings("demand").map((finding) => finding.asset);
  const used = findings("energy").find((finding) => sites.includes(finding.asset));
  if (power === null && !used) return null;
  const today = used && used.value !== null ? element("p", "quiet", t.usedToday(`${number(used.value, t.locale, true)} ${unitOf(used.unit)}`)) : "";
  return card("/energy", t.energy, big(power === null ? "–" : number(power, t.locale, true), power === null ? t.noData : "kW"), today);
}

function alarms() {
  const { t } = here;
  if (!known.alarms) return null;
  const waiting = Object.values(known.alarms.waiting).reduce((sum, each) => sum + each, 0);
  const words = known.alarms.flood ? t.flood : waiting ? t.alarmsToSee : t.noAlarms;
  return card("/alarms", t.titles.alarms, big(number(waiting, t.locale), "", waiting ? "wrong" : ""), element("p", "quiet", words));
}

function quality() {
  const { t } = here;
  const charts = findings("control");
  if (!charts.length) return null;
  const out = charts.filter((finding) => finding.severity > 0).length;
  return card("/quality", t.titles.quality, big(number(out, t.locale), t.ofCharts(charts.length), out ? "wrong" : ""), element("p", "quiet", out ? t.chartsOut : t.chartsIn));
}
