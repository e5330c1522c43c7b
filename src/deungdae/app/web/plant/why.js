// Why machines stand, and since when: a person's word, an alarm, the neighbours, the connection.

import { doorsOf, machines } from "../assets.js";
import { say } from "../said.js";
import { assetName, at, get, here, known, nameOf, now } from "../shell.js";
import { lookOf } from "../stations.js";
import { look, stateOf } from "../states.js";

const STANDING = ["down", "hold", "none", "idle"]; // kinds, the worst first
const SHORT = 60_000; // ms; who waits for so short a time does not stand
const PAST = 24 * 3600_000; // ms that are looked back for the begin of a stop
const ASKED = 40; // machines that are asked about at once
const LIMIT = 5000; // events of one answer
const PAUSE = 2000; // ms between two questions for alarms

export class Why {
  constructor() {
    this.stops = new Map(); // asset → { start, reason: { time, value } or null, silent, asking }; start: ms of the end of production
    this.alarms = new Map(); // asset → its alarm, one that holds before one that is over, the most urgent
    this.asked = -Infinity; // when the alarms were last asked for, by our own steady clock
    this.stale = true; // whether they have changed since
    this.answered = false;
  }

  build() {
    this.stops.clear();
    this.stale = true;
  }

  take(changed) {
    if (changed("alarms")) this.stale = true;
  }

  tick() {
    if (this.stale && performance.now() - this.asked > PAUSE) this.askAlarms();
  }

  // what stands, the longest first: [{ asset, name, look, start, cause }]
  standing() {
    const found = [];
    const unknown = [];
    for (const { id } of machines()) {
      const shown = lookOf(id);
      if (!STANDING.includes(shown.kind)) {
        this.stops.delete(id);
        if (shown.kind === "run") this.stops.set(id, null); // what stops next began then
        continue;
      }
      const stop = this.stopOf(id, shown, unknown);
      if (shown.kind === "idle" && now() - stop.start < SHORT) continue;
      found.push({ asset: id, name: assetName(id), look: shown, start: stop.start, cause: this.cause(id, shown) });
    }
    if (unknown.length) this.ask(unknown);
    return found.sort((a, b) => (a.start ?? Infinity) - (b.start ?? Infinity));
  }

  stopOf(asset, shown, unknown) {
    const before = this.stops.get(asset);
    const silent = shown.kind === "none"; // time of which nothing is known is a stop by itself
    if (before && before.silent === silent) return before;
    const asking = before === undefined && shown.since !== null; // it stood when we came
    const stop = { start: shown.since, reason: null, silent, asking };
    if (asking) unknown.push(asset);
    this.stops.set(asset, stop);
    return stop;
  }

  // asks the past when stops began and what people said of them
  async ask(assets) {
    for (let n = 0; n < assets.length; n += ASKED) {
      const some = assets.slice(n, n + ASKED);
      const ids = some.flatMap((asset) => [stateOf(asset)?.id ?? `${asset}.state`, `${asset}.reason`]);
      const query = new URLSearchParams([["from", new Date(now() - PAST).toISOString()], ["limit", LIMIT], ...ids.map((id) => ["ids", id])]);
      const events = await get(`events?${query}`).catch(() => []); // what is known now is shown all the same
      for (const asset of some) this.learn(asset, events.filter((event) => event.id.slice(0, event.id.lastIndexOf(".")) === asset));
    }
  }

  learn(asset, events) {
    const stop = this.stops.get(asset);
    if (!stop) return;
    stop.asking = false;
    for (const event of events.filter((each) => each.kind === "state").reverse()) {
      if (Date.parse(event.time) > stop.start) continue;
      const kind = kindOf(event);
      if (!STANDING.includes(kind) || (kind === "none") !== stop.silent) break;
      stop.start = Date.parse(event.time);
    }
    const told = events.filter((each) => each.kind === "note" && Date.parse(each.time) >= Math.floor(stop.start)).at(-1);
    if (told) stop.reason = { time: Date.parse(told.time), value: told.value };
  }

  async askAlarms() {
    this.stale = false;
    this.asked = performance.now();
    const told = await get("alarms").catch(() => null); // the next change asks again
    this.answered = true;
    if (!told) return;
    this.alarms.clear();
    for (const alarm of told.alarms) if (!this.alarms.has(alarm.asset)) this.alarms.set(alarm.asset, alarm);
  }

  // the text of the alarm that an asset has now, or ''
  alarmOf(asset) {
    const alarm = this.alarms.get(asset);
    return alarm?.active ? textOf(alarm) : "";
  }

  // the alarm that an asset had last, in words, or ''
  lastAlarmOf(asset) {
    const alarm = this.alarms.get(asset);
    return alarm ? here.t.lastAlarm(textOf(alarm), at(alarm.since, false)) : "";
  }

  // why an asset stands: { text, kind: person, alarm, door, neighbour, asking or unknown, short: of a long text }
  cause(asset, shown) {
    const { t } = here;
    const reason = this.reasonOf(asset);
    if (reason) return { kind: "person", text: reason };
    const alarm = this.alarmOf(asset);
    if (alarm) return { kind: "alarm", text: alarm };
    if (shown.kind === "none") return { kind: "door", ...troubleOf(asset) };
    if (shown.kind === "idle") {
      const text = this.neighbour(asset);
      if (text) return { kind: "neighbour", text };
    }
    if (!this.answered || this.stops.get(asset)?.asking) return { kind: "asking", text: t.loading };
    return { kind: "unknown", text: t.noReason };
  }

  reasonOf(asset) {
    const stop = this.stops.get(asset);
    if (!stop) return "";
    const event = known.events.get(`${asset}.reason`);
    const told = event && event[1] >= Math.floor(stop.start) ? { time: event[1], value: event[0] } : null;
    const newest = told && (!stop.reason || told.time >= stop.reason.time) ? told : stop.reason;
    return newest?.value ?? "";
  }

  // whom a machine waits for, and what that one does; '' where the line is not known
  neighbour(asset, seen = new Set()) {
    const { t } = here;
    const word = (known.events.get(stateOf(asset)?.id ?? `${asset}.state`)?.[0] ?? "").toLowerCase();
    if (word !== "starved" && word !== "blocked") return "";
    const others = beside(asset, word === "starved").filter((each) => !seen.has(each));
    if (!others.length) return "";
    seen.add(asset);
    const standing = others.map((each) => [each, lookOf(each)]).filter(([, shown]) => STANDING.includes(shown.kind));
    for (const [other, shown] of standing) {
      const deeper = shown.kind === "idle" ? this.neighbour(other, seen) : "";
      if (deeper) return deeper;
    }
    const [worst] = standing.sort(([, a], [, b]) => STANDING.indexOf(a.kind) - STANDING.indexOf(b.kind));
    if (worst) return t.becauseOf(assetName(worst[0]), worst[1].label);
    return word === "starved" ? t.waitsFor(others.map(assetName).join(", ")) : t.waitsUntil(others.map(assetName).join(", "));
  }
}

function textOf(alarm) {
  return alarm.text || nameOf(alarm.id);
}

// the machines that fill what an asset takes from, or empty what it fills
function beside(asset, before) {
  const line = Object.values(known.lines).find((each) => each.stations.some((station) => station.asset === asset));
  const own = line?.stations.find((station) => station.asset === asset);
  if (!own) return [];
  const buffers = before ? own.inputs : own.outputs;
  const others = line.stations.filter((station) => (before ? station.outputs : station.inputs).some((buffer) => buffers.includes(buffer)));
  return others.map((station) => station.asset).filter((each) => each !== asset);
}

// what is wrong with the connection of an asset that tells nothing
function troubleOf(asset) {
  const { t } = here;
  const door = doorsOf(asset).find((each) => each.state !== "online");
  if (!door) return { text: t.tellsNothing, short: t.tellsNothing };
  const short = `${door.name} ${t.doorStates[door.state]}`;
  return { text: [short, say(door.problem)].filter(Boolean).join(" — "), short };
}

// the kind of a state as the API tells it
function kindOf(event) {
  return look([event.value, Date.parse(event.time), event.quality === "bad" ? 2 : 0]).kind;
}
