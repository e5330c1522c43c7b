// The line as it runs now: what each station does, on what, and how full it is between them.

import { $, element } from "./dom.js";
import { powerOfAll } from "./power.js";
import { age, number } from "./format.js";
import { Plan } from "./plan.js";
import { assetName, assetOf, here, known, now } from "./shell.js";
import { look, stateOf } from "./states.js";

export class Line {
  // open(asset): where a person goes from a station, or null
  constructor(open) {
    this.plan = new Plan($("plan"), open);
  }

  build() {
    const [twin] = Object.keys(known.lines);
    $("line").hidden = !twin;
    if (!twin) return;
    this.twin = twin;
    const line = known.lines[twin];
    const titled = line.stations.map((each) => ({ ...each, title: assetName(each.asset) }));
    this.plan.show({ ...line, stations: titled });
    this.tick();
  }

  tick() {
    if (!this.twin) return;
    this.plan.update({ station, buffer: (each) => buffer(each, known.twins[this.twin]) });
    $("line-note").replaceChildren(...summary(known.lines[this.twin]));
  }
}

function station(each) {
  const { t } = here;
  const shown = lookOf(each.asset);
  const since = shown.since === null ? "" : t.since(age((now() - shown.since) / 1000, t.units));
  const count = countOf(each.asset);
  const detail = productOf(each.asset);
  const figure = count === null ? "" : `${number(count, t.locale)} ${t.annotations.part}`;
  const words = [each.title, shown.label, since, detail, figure].filter(Boolean).join(", ");
  return { ...shown, since, detail, figure, words };
}

// how a machine looks; one that tells no state at all is not one that is silent
function lookOf(asset) {
  const event = known.events.get(stateOf(asset)?.id ?? `${asset}.state`);
  if (!event && !stateOf(asset)) return { kind: "other", mark: "●", label: here.t.noState, since: null };
  return look(event);
}

function productOf(asset) {
  const part = known.events.get(`${asset}.part`) ?? known.events.get(`${asset}.product`);
  return part?.[4]?.product ?? (part?.[3] === "text" ? part[0] : "");
}

function countOf(asset) {
  const own = [...known.signals.values()].filter((signal) => signal.kind === "number" && assetOf(signal.id) === asset);
  const signal = own.find((each) => each.id === `${asset}.count`) ?? own.find((each) => each.unit === "{part}");
  const [value, , status] = known.readings.get(signal?.id) ?? [null, null, 2];
  return value !== null && (status & 3) < 2 ? value : null;
}

function buffer(each, twin) {
  const level = twin?.buffers[each.name] ?? null;
  const words = level === null ? `${each.name}: ${here.t.noData}` : `${each.name}: ${here.t.waitingParts(level, each.capacity)}`;
  return { level, words };
}

// what the whole line does, in one row of figures
function summary(line) {
  const { t } = here;
  const kinds = line.stations.map((each) => lookOf(each.asset));
  const count = (kind) => kinds.filter((each) => each.kind === kind).length;
  const parts = [["run", t.running], ["idle", t.idle], ["hold", t.heldState], ["down", t.down], ["none", t.noData]];
  const chips = parts.filter(([kind]) => count(kind)).map(([kind, word]) => element("span", `chip ${kind}`, `${kinds.find((each) => each.kind === kind).mark} ${word} ${count(kind)}`));
  const power = powerOfAll();
  if (power !== null) chips.push(element("span", "chip", `⚡ ${number(power, t.locale, true)} kW`));
  return chips;
}
