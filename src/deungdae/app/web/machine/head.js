// What a machine does now, since when and why, on which order, and how its connection is.

import { doorsOf } from "../assets.js";
import { $, element, put } from "../dom.js";
import { age } from "../format.js";
import { say } from "../said.js";
import { assetName, assetOf, at, here, known, moment, nameOf, now } from "../shell.js";
import { look, stateOf } from "../states.js";
import { showState } from "./list.js";

const DOORS = { online: "✓", degraded: "!", connecting: "…", offline: "✕", stopped: "■" };
const CALM = ["", "0", "false", "normal", "inactive", "ok"]; // an alarm that says so is over
const BITS = [...CALM, "1", "true", "active", "fault", "warning", "triggered"]; // words that say less than its name
const EARLY = 120000; // ms by which an alarm may come before the stop that it explains
const WORKING = ["run", "off"]; // states that need no reason

export class Head {
  constructor(asset) {
    this.asset = asset;
  }

  build() {
    const found = known.assets.find((each) => each.id === this.asset);
    this.name = element("h2", "title", found?.name || this.asset);
    this.chip = element("p", "state");
    this.why = element("p", "why");
    this.facts = element("dl", "about");
    this.doors = element("div", "doors");
    const all = element("a", "", `‹ ${here.t.allMachines}`);
    all.href = "/machine";
    $("machine-head").replaceChildren(element("div", "head", all, this.name, element("span", "quiet", found?.name ? this.asset : ""), element("span", "push"), this.chip), this.why, this.facts, this.doors);
    $("machine-head").hidden = false;
    document.title = `${assetName(this.asset)} — ${here.factory.name}`;
    if (!found) put(this.why, here.t.unknownMachine(this.asset));
    this.showDoors();
    this.seek();
    this.tick();
  }

  take(changed) {
    if (!this.facts) return;
    if (changed("events")) this.seek();
    if (changed("machines")) this.showDoors();
  }

  tick() {
    if (!this.facts) return;
    showState(this.chip, stateOf(this.asset)?.id ?? "");
    const found = known.assets.some((each) => each.id === this.asset);
    if (found) this.explain();
    const facts = this.told();
    const key = JSON.stringify(facts);
    if (key === this.facts.dataset.key) return;
    this.facts.dataset.key = key;
    this.facts.replaceChildren(...facts.map(([name, words, kind]) => element("div", kind ?? "", element("dt", "", name), element("dd", "", words))));
  }

  // why it stands: what people said of this stop, and else the alarm of it
  explain() {
    const { t } = here;
    const state = known.events.get(stateOf(this.asset)?.id);
    const { kind, since } = look(state);
    const reason = known.events.get(`${this.asset}.reason`);
    const said = reason && since !== null && reason[1] >= since && reason[0] ? reason : null;
    const stands = state && !WORKING.includes(kind) && kind !== "none";
    put(this.why, said ? `${t.why}: ${[said[0], said[4].note, said[4].person && `— ${said[4].person}`].filter(Boolean).join(" ")}` : stands ? this.supposed(since, kind) : "");
  }

  // what an alarm says where nobody has said anything
  supposed(since, kind) {
    const alarm = this.alarm();
    if (alarm && !alarm.over && alarm.ms >= since - EARLY) return `▲ ${alarm.words}`;
    return kind === "down" ? here.t.noReason : "";
  }

  // [name, words] of what else is known
  told() {
    const { t } = here;
    const order = known.events.get(`${this.asset}.order`);
    const part = known.events.get(`${this.asset}.part`) ?? known.events.get(`${this.asset}.product`);
    const product = part && (part[4].product ?? (part[3] === "text" ? part[0] : ""));
    const alarm = this.alarm();
    const facts = [];
    if (order?.[0] || part?.[4].order) facts.push([t.order, order?.[0] || part[4].order]);
    if (product) facts.push([t.product, product]);
    if (part?.[3] === "scan") facts.push([t.lastPart, `${part[0]} · ${t.ago(age((now() - part[1]) / 1000, t.units))}`]);
    if (alarm) facts.push([t.lastAlarm, alarm.words, "alarm"]);
    return facts;
  }

  seek() {
    const own = [...known.events].filter(([id, event]) => event[3] === "alarm" && assetOf(id) === this.asset);
    [this.newest] = own.sort((a, b) => b[1][1] - a[1][1]);
  }

  // the newest alarm of this machine, in words
  alarm() {
    if (!this.newest) return null;
    const [id, [value, ms, , , data]] = this.newest;
    const text = data.message || (BITS.includes(value.toLowerCase()) ? nameOf(id) : value);
    const over = CALM.includes(value.toLowerCase());
    return { ms, over, words: [text, over ? here.t.alarmOver : "", moment(new Date(ms).toISOString())].filter(Boolean).join(" · ") };
  }

  showDoors() {
    this.doors.replaceChildren(...doorsOf(this.asset).map((door) => this.door(door)));
  }

  door(door) {
    const { t } = here;
    const lines = [element("p", "", element("strong", "", `${DOORS[door.state]} ${t.connection} ${door.name}: ${t.doorStates[door.state]}`), ` · ${t.from(at(door.since, false))}`)];
    if (door.state === "online") return element("div", "quiet", ...lines);
    if (door.problem) lines.push(element("p", "", say(door.problem)));
    for (const [id, problem] of Object.entries(door.signals)) if (assetOf(id) === this.asset) lines.push(element("p", "", `${id}: ${say(problem)}`));
    if (door.remedy) lines.push(element("p", "quiet", `${t.remedy}: ${say(door.remedy)}`));
    return element("div", `door ${door.state}`, ...lines);
  }
}
