// How each door is doing: what is wrong, since when, what to do, and what comes through it.

import { $, element, put } from "../dom.js";
import { age } from "../format.js";
import { say } from "../said.js";
import { assetName, assetOf, get, here, known, may, moment, now } from "../shell.js";
import { strip } from "./strip.js";

const PACE = 5000; // ms between two questions what came
const FIRST = 1500; // ms until the second, so that a rate is soon known
const DAY = 300000; // ms between two questions what the last 24 hours were
const ORDER = ["offline", "degraded", "never", "connecting", "stopped", "online"]; // bad first
const MARKS = { online: "✓", degraded: "!", connecting: "…", offline: "✕", stopped: "■", never: "∅" };
const LOOKS = { online: "run", degraded: "idle", offline: "down", connecting: "hold", stopped: "none", never: "down" };

export class Doors {
  constructor() {
    this.asked = -PACE;
    this.askedDay = -DAY;
    this.through = new Map(); // by room.name: what the server told last
    this.before = new Map(); // and the time before, for the rate
    this.day = null;
    this.items = new Map();
  }

  build() {
    this.items.clear();
    $("doors").replaceChildren();
    $("bridges").replaceChildren();
    this.draw();
  }

  take(changed) {
    if (changed("machines") || changed("session")) this.draw();
  }

  leave() {
    this.gone = true;
  }

  tick() {
    const time = performance.now();
    if (time - this.asked >= (this.before.size ? PACE : FIRST)) this.ask(time);
    if (time - this.askedDay >= DAY) this.askDay(time);
    for (const { since, door } of this.items.values()) put(since, here.t.since(age((now() - Date.parse(door.since)) / 1000, here.t.units)));
  }

  async ask(time) {
    this.asked = time;
    const told = await get("connections").catch(() => null); // a lost server is told already
    if (!told || this.gone) return;
    this.before = this.through;
    this.through = new Map(told.map((each) => [`${each.room}.${each.name}`, { ...each, at: performance.now() }]));
    this.draw();
  }

  async askDay(time) {
    this.askedDay = time;
    this.day = await get("connections/day").catch(() => null);
    if (!this.gone) this.draw();
  }

  // one that was never connected is not one that merely connects again
  state(door) {
    const through = this.through.get(`${door.room}.${door.name}`);
    const silent = through && through.signals > 0 && through.last === null && !through.items;
    return door.room === "machines" && silent && ["connecting", "offline", "stopped"].includes(door.state) ? "never" : door.state;
  }

  draw() {
    const { t } = here;
    const all = known.machines.map((door) => ({ ...door, look: this.state(door) }));
    all.sort((a, b) => ORDER.indexOf(a.look) - ORDER.indexOf(b.look) || a.name.localeCompare(b.name));
    const machines = all.filter((door) => door.room === "machines");
    $("doors-none").hidden = machines.length > 0;
    $("doors-add").hidden = !may("engineer") || !machines.length;
    $("bridges-head").hidden = machines.length === all.length;
    const counts = ORDER.map((look) => [look, machines.filter((door) => door.look === look).length]).filter(([, count]) => count);
    $("doors-sum").replaceChildren(...counts.map(([look, count]) => element("span", `chip ${LOOKS[look]}`, `${MARKS[look]} ${t.looks[look]} ${count}`)));
    this.list($("doors"), machines);
    this.list($("bridges"), all.filter((door) => door.room !== "machines"));
  }

  list(place, doors) {
    const focused = document.activeElement?.closest?.("[data-door]")?.dataset.door;
    place.replaceChildren(...doors.map((door) => this.item(door)));
    if (focused && !document.activeElement?.closest("[data-door]")) place.querySelector(`[data-door="${CSS.escape(focused)}"] summary, [data-door="${CSS.escape(focused)}"] a`)?.focus();
  }

  item(door) {
    const { t } = here;
    const key = `${door.room}.${door.name}`;
    const through = this.through.get(key);
    const told = JSON.stringify([door, through?.last, through?.items, this.rate(key), this.day?.start, this.day?.machines[door.name], may("viewer")]);
    const before = this.items.get(key);
    if (before?.told === told) return before.element;
    const since = element("span", "quiet");
    const made = element("li", `connection ${LOOKS[door.look]}`, this.head(door, since, through), ...this.trouble(door), this.facts(door, through, key), this.signals(door, before));
    made.dataset.door = key;
    if (this.day?.machines[door.name]) made.append(strip(this.day, door.name, door.name));
    this.items.set(key, { element: made, told, since, door });
    put(since, t.since(age((now() - Date.parse(door.since)) / 1000, t.units)));
    return made;
  }

  head(door, since, through) {
    const { t } = here;
    const state = element("strong", `chip ${LOOKS[door.look]}`, `${MARKS[door.look] ?? "?"} ${t.looks[door.look] ?? door.look}`);
    const address = element("code", "", through?.address ?? "");
    return element("div", "line", element("h3", "", door.name), element("span", "quiet", t.types[door.type] ?? door.type), through?.address ? address : "", element("span", "push"), since, state);
  }

  trouble(door) {
    const { t } = here;
    if (!door.problem && door.look !== "never") return [];
    const words = [element("p", "", say(door.problem) || t.neverText)];
    if (door.remedy) words.push(element("p", "", element("strong", "", `${t.remedy}: `), say(door.remedy)));
    return [element("div", "trouble", ...words)];
  }

  rate(key) {
    const [through, before] = [this.through.get(key), this.before.get(key)];
    if (through?.items === null || before?.items === null || !through || !before || through.at - before.at < 1000 || through.items < before.items) return null;
    return (1000 * (through.items - before.items)) / (through.at - before.at);
  }

  facts(door, through, key) {
    const { t } = here;
    if (!through || door.room !== "machines") return "";
    const rate = this.rate(key);
    const last = through.last ? moment(through.last, true) : t.never;
    const facts = [t.heard(through.heard, through.signals), `${t.lastValue} ${last}`, rate === null || !through.items ? "" : t.perSecondOf(rate.toLocaleString(t.locale, { maximumFractionDigits: 1 }))];
    const assets = [...new Set([...known.signals.values()].filter((signal) => signal.source.startsWith(`${door.name}:`)).map((signal) => assetOf(signal.id)))];
    const links = assets.slice(0, 4).map((asset) => {
      const link = element("a", "action", assetName(asset));
      link.href = `/machine/${encodeURIComponent(asset)}`;
      return link;
    });
    return element("p", "facts-line", ...facts.filter(Boolean).map((fact) => element("span", "", fact)), ...links);
  }

  // what is wrong with single signals while others work
  signals(door, before) {
    const wrong = Object.entries(door.signals);
    if (!wrong.length) return "";
    const rows = wrong.slice(0, 100).map(([id, problem]) => element("li", "", element("code", "", id), ` — ${say(problem)}`));
    const rest = wrong.length > 100 ? [element("li", "quiet", here.t.moreSignals(wrong.length - 100))] : [];
    const made = element("details", "wrong-signals", element("summary", "", here.t.wrongSignals(wrong.length)), element("ul", "", ...rows, ...rest));
    made.open = before ? Boolean(before.element.querySelector("details")?.open) : wrong.length <= 3;
    return made;
  }
}
