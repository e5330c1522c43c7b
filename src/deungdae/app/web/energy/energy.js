// What was used over a period, as the API reckons it, beside what is drawn now.

import { $, element } from "../dom.js";
import { age, number, percent } from "../format.js";
import { Period } from "../period.js";
import { savable } from "../picture.js";
import { powerOf, powerOfAll } from "../power.js";
import { analyses, assetName, findings, get, here, known, moment, unitOf } from "../shell.js";
import { look } from "../states.js";
import { Table } from "../table.js";
import { Load } from "./load.js";

const AGAIN = 60000; // ms between two accounts of a period that goes on
const DRAWN = 2000; // ms between two looks at what is drawn now
const KINDS = ["run", "hold", "idle", "down", "off", "other", "none"];
const SURE = 0.01; // share of a period of which nothing was told that is not worth telling

export class Energy {
  constructor() {
    this.load = new Load($("load-chart"));
    this.account = null;
    this.asked = 0;
    this.drawn = 0;
  }

  async build() {
    const has = analyses("energy");
    $("no-energy").hidden = has;
    $("energy").hidden = !has;
    if (!has) return;
    const { t } = here;
    this.machines = machineTable();
    $("used-rows").replaceChildren(this.machines.element);
    $("load-save").replaceChildren(savable($("load-chart"), t.loadCurve));
    this.period = new Period(() => this.ask(), ["today", "shift", "before", "yesterday", "week", "month", "own"]);
    $("energy-period").replaceChildren(this.period.element);
    await this.period.start();
  }

  tick() {
    if (!this.period) return;
    if (this.period.live && performance.now() - this.asked > AGAIN) this.ask();
    if (performance.now() - this.drawn > DRAWN) this.showTotal();
  }

  async ask() {
    this.asked = performance.now();
    if (!this.account) $("energy-problem").textContent = here.t.loading;
    const to = this.period.live ? "" : `&to=${this.period.to}`;
    try {
      this.account = await get(`energy?from=${this.period.from}${to}`);
      $("energy-problem").textContent = "";
    } catch (problem) {
      this.account = null;
      $("energy-problem").textContent = problem.status === 409 ? here.t.noEnergy : problem.message;
    }
    this.show();
  }

  show() {
    const { account } = this;
    for (const place of ["load", "used"]) $(place).hidden = !account;
    this.showTotal();
    this.showBeside();
    if (!account) return;
    this.load.show(account);
    $("load-note").textContent = account.peak ? here.t.peakAt(moment(account.peak.start), number(account.peak.value, here.t.locale, true)) : here.t.noQuarter;
    this.machines.fill([...account.machines].sort((a, b) => (b.energy.value ?? -1) - (a.energy.value ?? -1)).map((each) => row(each, account)));
    $("used-legend").replaceChildren(...legend(account));
  }

  showTotal() {
    const { t } = here;
    this.drawn = performance.now();
    const { account } = this;
    const demand = findings("demand")[0];
    const tiles = [tile(t.drawnNow, powerOfAll(), "kW", demand?.value == null ? "" : `${t.demand} ${number(demand.value, t.locale, true)} kW`)];
    if (account) {
      const bounds = doubt(account.energy);
      tiles.unshift(tile(t.usedEnergy, account.energy.value, "kWh", bounds));
      tiles.push(tile(t.peak, account.peak?.value ?? null, "kW", account.peak ? moment(account.peak.start) : t.noQuarter));
      tiles.push(carbonTile(account));
    }
    $("energy-total").replaceChildren(...tiles);
    $("energy-doubt").textContent = account ? unknown(account) : "";
  }

  showBeside() {
    const { t } = here;
    const products = account(this.account);
    const carriers = this.account?.carriers ?? [];
    $("by-product").hidden = !products.length;
    $("by-carrier").hidden = !carriers.length;
    $("product-rows").replaceChildren(bars(products.map(([name, value]) => [name || t.noProduct, value, "kWh"])));
    $("carrier-rows").replaceChildren(...carriers.map(carrier));
    const told = [this.account?.factor, ...carriers.map((each) => each.factor)].filter(Boolean);
    $("factors").replaceChildren(...told.map((each) => element("p", "quiet", t.factorOf(each.factor, each.year, each.source))));
    $("beside").hidden = !products.length && !carriers.length && !told.length;
  }
}

function tile(label, value, unit, note) {
  const figure = element("p", "figure", value === null ? "–" : number(value, here.t.locale, true), element("small", "", value === null ? here.t.noData : unit));
  return element("div", "tile", element("p", "label", label), figure, element("p", "quiet", note));
}

// electricity and the others together; where one has no factor that is said, and it is not in the sum
function carbonTile({ co2, factor, carriers }) {
  const { t } = here;
  const known_ = [co2, ...carriers.map((each) => each.co2)].filter((each) => each !== null);
  const missing = carriers.filter((each) => each.co2 === null && each.amount.value !== null).map((each) => t.carriers[each.name] ?? each.name);
  const note = missing.length ? t.without(missing.join(", ")) : factor ? t.factorYear(factor.year) : t.noFactor;
  return tile(t.carbon, known_.length ? known_.reduce((sum, each) => sum + each, 0) : null, "kgCO₂e", note);
}

// within what it can have been, where not all was told
function doubt({ value, low, high }) {
  if (value === null || low === null || (high !== null && high - low < 0.005 * Math.max(value, 1))) return "";
  return high === null ? here.t.atLeast(number(low, here.t.locale, true)) : here.t.range(number(low, here.t.locale, true), number(high, here.t.locale, true));
}

function unknown({ energy, start, end }) {
  const share = (energy.unknown * 1000) / (Date.parse(end) - Date.parse(start));
  return share < SURE ? "" : here.t.unknownShare(percent(share * 100, here.t.locale), age(energy.unknown, here.t.units));
}

// ---- machines

function kindOf(state) {
  return state === "unknown" ? "none" : look([state, 0, 0]).kind;
}

function byKind(machine) {
  const found = {};
  for (const [state, amount] of Object.entries(machine.states)) found[kindOf(state)] = (found[kindOf(state)] ?? 0) + (amount.value ?? 0);
  return found;
}

function row(machine, { machines }) {
  const most = Math.max(...machines.map((each) => each.energy.value ?? 0), 1e-9);
  return { machine, most, kinds: byKind(machine) };
}

function machineTable() {
  const { t } = here;
  return new Table({
    name: t.byMachine,
    columns: [
      { key: ({ machine }) => assetName(machine.asset), title: t.machineName, show: ({ machine }) => link(machine.asset) },
      { key: ({ machine }) => machine.energy.value, title: t.usedEnergy, kind: "number", unit: "kW.h" },
      { key: ({ kinds, machine }) => share(kinds.run, machine), title: t.whileRunning, kind: "number", unit: "%", show: (each) => stack(each) },
      { key: ({ machine }) => machine.co2, title: "CO₂e", kind: "number", unit: "kg" },
      { key: ({ machine }) => powerOf(machine.asset), title: t.drawnNow, kind: "number", unit: "kW" },
    ],
    empty: t.noEnergy,
    label: t.byMachine,
  });
}

function share(part, { energy, states }) {
  return Object.keys(states).length && energy.value ? ((part ?? 0) / energy.value) * 100 : null;
}

function link(asset) {
  const made = element("a", "", assetName(asset));
  made.href = `/machine/${encodeURIComponent(asset)}`;
  return made;
}

// what was used in each kind of state, beside the machine that used most
function stack({ machine, most, kinds }) {
  const { t } = here;
  const bar = element("div", "stack");
  const told = Object.keys(machine.states).length ? kinds : { other: machine.energy.value ?? 0 };
  for (const kind of KINDS) {
    if (!told[kind]) continue;
    const part = element("span", kind);
    part.style.width = `${(told[kind] / most) * 100}%`;
    bar.append(part);
  }
  const running = share(kinds.run, machine);
  const words = KINDS.filter((kind) => told[kind]).map((kind) => `${t.useKinds[kind]} ${number(told[kind], t.locale)} kWh`).join(", ");
  bar.title = words;
  return element("div", "stacked", bar, element("span", "said", words), element("span", "quiet", running === null ? "" : `${percent(running, t.locale)} %`));
}

function legend({ machines }) {
  const told = new Set(machines.flatMap((each) => Object.keys(each.states).map(kindOf)));
  return KINDS.filter((kind) => told.has(kind)).map((kind) => element("li", "quiet", element("span", `key ${kind}`), here.t.useKinds[kind]));
}

// ---- products and carriers

// kWh of each product over all machines, most first
function account(told) {
  const sums = new Map();
  for (const machine of told?.machines ?? []) {
    for (const [product, amount] of Object.entries(machine.products)) sums.set(product, (sums.get(product) ?? 0) + (amount.value ?? 0));
  }
  return [...sums].filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
}

function bars(rows) {
  const most = Math.max(...rows.map(([, value]) => value), 1e-9);
  const made = rows.map(([name, value, unit]) => {
    const full = element("span");
    full.style.width = `${(value / most) * 100}%`;
    return element("li", "", element("span", "", name), element("strong", "", `${number(value, here.t.locale)} ${unit}`), element("div", "share", full));
  });
  return element("ul", "bars", ...made);
}

function carrier(each) {
  const { t } = here;
  const name = t.carriers[each.name] ?? each.name;
  const figure = element("p", "figure", each.amount.value === null ? "–" : number(each.amount.value, t.locale), element("small", "", each.amount.value === null ? t.noData : unitOf(each.unit)));
  const note = each.co2 === null ? t.noCarbon : `${number(each.co2, t.locale)} kgCO₂e`;
  const flow = [...known.signals.values()].find((signal) => signal.id.startsWith(`${each.asset}.${each.name}`) && signal.unit.includes("/"));
  const now = known.readings.get(flow?.id)?.[0];
  const drawn = now === undefined || now === null ? "" : ` · ${t.now} ${number(now, t.locale, true)} ${unitOf(flow.unit)}`;
  return element("div", "tile", element("p", "label", `${name} · ${assetName(each.asset)}`), figure, element("p", "quiet", note + drawn));
}
