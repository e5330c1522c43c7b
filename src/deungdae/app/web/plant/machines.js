// A card for each machine: its state, its first signals, and what is wrong with its connection.

import { doorsOf, signalsOf } from "../assets.js";
import { $, element, put } from "../dom.js";
import { age, clock, isCounted, number } from "../format.js";
import { say } from "../said.js";
import { assetOf, here, known, nameOf, now, unitOf, watch } from "../shell.js";
import { look, stateOf } from "../states.js";
import { MANY, placeOf } from "./places.js";

const SHOWN = 4; // signals of a card; its machine's page has them all
const TROUBLES = 1; // signals of a door that are told; the page of connections tells them all
const MARKS = { online: "✓", degraded: "!", connecting: "…", offline: "✕", stopped: "■" };

export class Machines {
  build() {
    const told = known.assets.filter((asset) => signalsOf(asset.id).length);
    $("machines").hidden = told.length > MANY;
    $("machines").replaceChildren(...($("machines").hidden ? [] : told.map((asset) => this.card(asset))));
    this.showDoors();
    this.showAims();
    this.tick();
  }

  take(changed) {
    if (changed("machines")) this.showDoors();
    if (changed("loops")) this.showAims();
  }

  tick() {
    for (const chip of document.querySelectorAll("[data-state]")) showState(chip);
    for (const row of document.querySelectorAll("[data-signal]")) showReading(row);
  }

  card(asset) {
    const state = stateOf(asset.id);
    const signals = signalsOf(asset.id).filter((signal) => signal !== state);
    const shown = signals.slice(0, SHOWN);
    watch(shown.map((signal) => signal.id));
    const chip = element("p", "state");
    chip.dataset.state = state?.id ?? "";
    const aims = element("p", "aims quiet");
    aims.dataset.aims = asset.id;
    const head = element("div", "head", element("h2", "", link(asset.name || asset.id, placeOf(asset.id))), element("span", "push"), aims, chip);
    const rows = element("table", "", element("tbody", "", ...shown.map(row)));
    const more = signals.length > SHOWN ? link(here.t.moreSignals(signals.length - SHOWN), placeOf(asset.id), "more") : null;
    const made = element("article", "card machine", head, rows, more, element("div", "doors"));
    made.dataset.asset = asset.id;
    return made;
  }

  showDoors() {
    for (const card of document.querySelectorAll(".machine")) {
      const own = doorsOf(card.dataset.asset);
      const bad = own.filter((each) => each.state !== "online");
      card.classList.toggle("offline", own.length > 0 && own.every((each) => ["offline", "connecting", "stopped"].includes(each.state)));
      card.querySelector(".doors").replaceChildren(...bad.map((each) => element("div", `door ${each.state}`, ...trouble(each, card.dataset.asset))));
    }
  }

  showAims() {
    for (const place of document.querySelectorAll("[data-aims]")) {
      const own = known.loops.filter((loop) => assetOf(loop.measurement) === place.dataset.aims && loop.set_point !== null);
      const aim = (loop) => `◎ ${nameOf(loop.measurement)} ${here.t.setPoint} ${number(loop.set_point, here.t.locale)} ${unitOf(loop.unit)}`;
      place.textContent = own.map(aim).join(" · ");
    }
  }
}

function link(words, target, kind = "") {
  const made = element("a", kind, words);
  made.href = target;
  return made;
}

function row(signal) {
  const name = link(nameOf(signal.id), `${placeOf(assetOf(signal.id))}?signal=${encodeURIComponent(signal.id)}`, "link");
  name.title = signal.id;
  const head = element("th", "", name);
  head.scope = "row";
  const made = element("tr", "", head, element("td", "value"), element("td", "unit", unitOf(signal.unit)), element("td", "age"));
  made.dataset.signal = signal.id;
  return made;
}

function showState(chip) {
  if (!chip.dataset.state) return;
  const { kind, mark, label, since } = look(known.events.get(chip.dataset.state));
  const detail = since === null ? "" : here.t.since(age((now() - since) / 1000, here.t.units));
  const key = `${kind}|${label}|${detail}`;
  if (chip.dataset.key === key) return;
  chip.dataset.key = key;
  chip.className = `state ${kind}`;
  chip.replaceChildren(element("strong", "", `${mark} ${label}`), element("small", "", detail));
}

function showReading(row) {
  const signal = known.signals.get(row.dataset.signal);
  const [value, ms, status, kind] = latest(signal);
  const flags = ms === null ? [] : flagsOf(status);
  const gone = ms === null || (status & 3) >= 2;
  const words = kind === "image" ? "▣" : value;
  const shown = ms === null || (gone && value === null) ? here.t.noData : kind ? words : number(value, here.t.locale, !isCounted(signal));
  put(row.querySelector(".value"), shown);
  const when = ms === null ? "" : age((now() - ms) / 1000, here.t.units);
  put(row.querySelector(".age"), flags.length ? `${flags.join(", ")} · ${when}` : when);
  row.className = `${gone ? "gap" : flags.length ? "doubtful" : ""} ${kind ? "words" : ""}`.trim();
}

function latest(signal) {
  if (signal.kind === "number") return known.readings.get(signal.id) ?? [null, null, 2];
  return known.events.get(signal.id) ?? [null, null, 2, signal.kind];
}

function flagsOf(status) {
  const { flags } = here.t;
  const found = [];
  if (status & 0x10) found.push(flags.stale);
  if (status & 0x20) found.push(flags.out_of_range);
  if (status & 0x08) found.push(flags.clock_suspect);
  if (!found.length && (status & 3) === 1) found.push(flags.uncertain);
  if (!found.length && (status & 3) >= 2) found.push(flags.bad);
  return found;
}

function trouble(each, asset) {
  const since = clock(Date.parse(each.since), here.t.locale, here.factory.timezone);
  const lines = [element("p", "", element("strong", "", `${MARKS[each.state]} ${each.name}: ${here.t.doorStates[each.state]}`), ` · ${here.t.from(since)}`)];
  if (each.problem) lines.push(element("p", "", say(each.problem)));
  const own = Object.entries(each.signals).filter(([id]) => assetOf(id) === asset);
  for (const [id, problem] of own.slice(0, TROUBLES)) lines.push(element("p", "", `${nameOf(id)}: ${say(problem)}`));
  if (own.length > TROUBLES) lines.push(link(here.t.moreTroubles(own.length - TROUBLES), "/connections"));
  if (each.remedy) lines.push(element("p", "quiet", `${here.t.remedy}: ${say(each.remedy)}`));
  return lines;
}
