// What a machine does now, as plans and tiles tell it: its state, on what it works, how fast.

import { findingsOf, signalsOf } from "./assets.js";
import { element } from "./dom.js";
import { age, number } from "./format.js";
import { powerOfAll } from "./power.js";
import { here, known, nameOf, now, unitOf } from "./shell.js";
import { look, stateOf } from "./states.js";

// how a machine looks; one that tells no state at all is not one that is silent
export function lookOf(asset) {
  const signal = stateOf(asset);
  const event = known.events.get(signal?.id ?? `${asset}.state`);
  if (!event && !signal) return { kind: "other", mark: "●", label: here.t.noState, since: null };
  return look(event);
}

// for a plan: reason: why it stands, '' where it does not; more: what else there is to know
export function station({ asset, title }, reason = "", more = "") {
  const { t } = here;
  const shown = lookOf(asset);
  const since = shown.since === null ? "" : t.since(age((now() - shown.since) / 1000, t.units));
  const detail = reason || workOf(asset);
  const { figure, share } = paceOf(asset);
  const words = [title, shown.label, since, detail, figure, share === null ? "" : t.ofPlan(Math.round(share * 100)), more].filter(Boolean).join(", ");
  return { ...shown, since, detail, figure, share, words };
}

// the order and the product on which a machine works
function workOf(asset) {
  const order = known.events.get(`${asset}.order`);
  const part = known.events.get(`${asset}.part`) ?? known.events.get(`${asset}.product`);
  const product = order?.[4]?.product ?? part?.[4]?.product ?? (part?.[3] === "text" ? part[0] : "");
  return [order?.[0] ?? part?.[4]?.order, product].filter(Boolean).join(" · ");
}

// how fast it is, beside how fast it could be; or else how much it has made
function paceOf(asset) {
  const own = findingsOf(asset);
  const rate = own.find((finding) => finding.name === "throughput_rate" && finding.value !== null);
  if (!rate) {
    return { figure: countOf(asset), share: null };
  }
  // s for a part: what the order plans, or the ideal of ISO 22400
  const cycle = [known.events.get(`${asset}.order`)?.[4]?.cycle, ...own.map((finding) => finding.evidence.PRI)].map(parseFloat).find((seconds) => seconds > 0);
  return { figure: `${number(Math.round(rate.value), here.t.locale)} ${unitOf(rate.unit)}`, share: cycle && rate.unit === "{item}/h" ? (rate.value * cycle) / 3600 : null };
}

function countOf(asset) {
  const own = signalsOf(asset).filter((signal) => signal.kind === "number");
  const signal = own.find((each) => each.id === `${asset}.count`) ?? own.find((each) => each.unit === "{part}");
  const [value, , status] = known.readings.get(signal?.id) ?? [null, null, 2];
  if (value === null || (status & 3) >= 2) return "";
  const count = number(value, here.t.locale);
  return signal.unit === "{part}" ? `${count} ${here.t.annotations.part}` : `${nameOf(signal.id)} ${count}`;
}

// for a plan: twin: what is known of a twin now
export function buffer(each, twin) {
  const level = twin?.buffers[each.name] ?? null;
  const words = level === null ? `${each.name}: ${here.t.noData}` : `${each.name}: ${here.t.waitingParts(level, each.capacity)}`;
  return { level, words };
}

// what many machines do, in one row of figures
export function summary(assets) {
  const { t } = here;
  const kinds = assets.map(lookOf);
  const count = (kind) => kinds.filter((each) => each.kind === kind).length;
  const parts = [["run", t.running], ["idle", t.idle], ["hold", t.heldState], ["down", t.down], ["off", t.states.off], ["none", t.noData]];
  const chips = parts.filter(([kind]) => count(kind)).map(([kind, word]) => element("span", `chip ${kind}`, `${kinds.find((each) => each.kind === kind).mark} ${word} ${count(kind)}`));
  const power = powerOfAll();
  if (power !== null) chips.push(element("span", "chip", `⚡ ${number(power, t.locale, true)} kW`));
  return chips;
}
