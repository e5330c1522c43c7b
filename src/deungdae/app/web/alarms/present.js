// The alarms that are active or wait to be acknowledged; in a flood, by machine.

import { button, element } from "../dom.js";
import { PRIORITIES, badge } from "../priority.js";
import { say } from "../said.js";
import { ask, at, here, may } from "../shell.js";
import { Table } from "../table.js";
import { isQuiet } from "./frame.js";
import { about, acknowledge, acknowledged, began, isDoor, link, priority, rank, refill, seldom, shelve, state, text, title } from "./rows.js";

const LEAST = 3; // places in PRIORITIES from which on an alarm is folded away in a flood
const AGES = 5000; // ms after which ages are told anew

export class Present {
  constructor(frame) {
    const { t } = here;
    this.frame = frame;
    this.told = { alarms: [] };
    this.whole = false; // in a flood: shows all, not by machine
    this.drawn = 0;
    this.wanted = { text: "", priority: "", asset: "", waiting: false };
    this.table = new Table({ name: t.alarms, label: t.alarms, empty: t.noneActive, columns: this.columns(), look: (alarm) => alarm.state });
    this.flood = element("div", "flood");
    this.groups = element("div", "groups");
    this.all = button("primary", "", () => this.askAll());
    this.element = element("div", "", this.flood, this.filters(), this.groups, this.table.element);
  }

  columns() {
    const { t } = here;
    const { frame } = this;
    return [
      { key: rank, title: t.priority, show: priority },
      { key: (alarm) => t.alarmStates[alarm.state], title: t.alarmState, show: state },
      { key: "since", title: t.began, kind: "time", show: began },
      { key: about, title: t.machineOf, show: link },
      { key: (alarm) => [title(alarm), alarm.text].join(" "), title: t.alarm, show: text },
      { key: () => null, title: t.deeds, aside: true, show: (alarm) => [element("div", "deeds", acknowledge(alarm, frame), shelve(alarm, frame), seldom(alarm, frame))] },
    ];
  }

  filters() {
    const { t } = here;
    const search = element("input");
    search.type = "search";
    search.placeholder = t.search;
    search.setAttribute("aria-label", t.search);
    search.addEventListener("input", () => this.narrow({ text: search.value.toLowerCase() }));
    this.assets = element("select");
    this.assets.setAttribute("aria-label", t.machineOf);
    this.assets.addEventListener("change", () => this.narrow({ asset: this.assets.value }));
    const urgencies = element("select", "", option("", t.anyPriority), ...PRIORITIES.map((each) => option(each, t.priorities[each])));
    urgencies.setAttribute("aria-label", t.priority);
    urgencies.addEventListener("change", () => this.narrow({ priority: urgencies.value }));
    const waiting = element("input");
    waiting.type = "checkbox";
    waiting.addEventListener("change", () => this.narrow({ waiting: waiting.checked }));
    return element("div", "filters", search, urgencies, this.assets, element("label", "check", waiting, t.onlyWaiting), element("span", "push"), this.all);
  }

  narrow(part) {
    Object.assign(this.wanted, part);
    this.draw();
  }

  show(told) {
    this.told = told;
    const names = new Map(told.alarms.map((alarm) => [about(alarm), about(alarm)]));
    const chosen = this.assets.value;
    this.assets.replaceChildren(option("", here.t.anyMachine), ...[...names.keys()].sort().map((name) => option(name, name)));
    this.assets.value = names.has(chosen) ? chosen : "";
    this.wanted.asset = this.assets.value;
    this.draw();
  }

  chosen() {
    const { text: words, priority: urgency, asset, waiting } = this.wanted;
    const fits = (alarm) =>
      !isQuiet(alarm) &&
      (!urgency || alarm.priority === urgency) &&
      (!asset || about(alarm) === asset) &&
      (!waiting || isWaiting(alarm)) &&
      (!words || `${title(alarm)} ${alarm.text} ${say(alarm.text)} ${about(alarm)} ${alarm.id} ${alarm.code ?? ""}`.toLowerCase().includes(words));
    return this.told.alarms.filter(fits);
  }

  draw() {
    const { t } = here;
    if (this.element.querySelector(".deeds .menu[open]")) return; // it would close under the hand
    this.drawn = performance.now();
    const alarms = this.chosen();
    const waiting = alarms.filter(isWaiting);
    this.all.textContent = t.acknowledgeAll(waiting.length);
    this.all.hidden = !waiting.length;
    this.all.disabled = !may("operator");
    this.all.title = this.all.disabled ? t.needs(t.roles.operator) : "";
    const { flood } = this.told;
    const grouped = Boolean(flood) && !this.whole;
    this.flood.hidden = !flood;
    if (flood) this.flood.replaceChildren(element("p", "", `≋ ${t.floodWords(at(flood.since, false), flood.count)}`), button("", this.whole ? t.byMachine : t.showAll, () => this.turn()));
    this.table.element.hidden = grouped;
    this.groups.hidden = !grouped;
    refill(this.element, () => {
      if (grouped) this.drawGroups(alarms);
      else this.table.fill(alarms);
    });
  }

  turn() {
    this.whole = !this.whole;
    this.draw();
  }

  // a flood: what came first and what is most urgent at each machine; the rest is folded, not lost
  drawGroups(alarms) {
    const opened = new Set([...this.groups.querySelectorAll("details[open]")].map((each) => each.dataset.group));
    const groups = new Map();
    for (const alarm of alarms) {
      // doors fail together more often than each for itself
      const name = isDoor(alarm) ? here.t.titles.connections : about(alarm);
      if (groups.has(name)) groups.get(name).push(alarm);
      else groups.set(name, [alarm]);
    }
    const all = [...groups].map(([name, own]) => ({ name, own, first: firstUp(own, this.told.flood.since) }));
    all.sort((a, b) => rank(a.own[0]) - rank(b.own[0]) || a.first.told.localeCompare(b.first.told));
    this.groups.replaceChildren(...all.map((group) => this.group(group, opened)));
  }

  group({ name, own, first }, opened) {
    const { t } = here;
    const least = Math.min(...own.map(rank));
    const shown = own.filter((alarm) => alarm === first || (rank(alarm) === least && rank(alarm) < LEAST)).slice(0, 6);
    const rest = own.filter((alarm) => !shown.includes(alarm));
    const head = element("div", "head", element("h3", "", link(own[0], name)), badge(own[0].priority), element("span", "quiet", t.ofThem(own.length)), element("span", "push"), this.allOf(own));
    const list = element("ul", "", ...sorted(shown, first).map((alarm) => this.item(alarm, alarm === first && own.length > 1)));
    const made = element("section", "group", head, list);
    made.setAttribute("aria-label", name);
    if (rest.length) made.append(this.folded(name, rest, opened));
    return made;
  }

  folded(name, rest, opened) {
    const fold = element("details", "", element("summary", "", here.t.folded(rest.length)));
    fold.dataset.group = name;
    const list = element("ul");
    const fill = () => list.replaceChildren(...rest.slice(0, 200).map((alarm) => this.item(alarm, false)));
    fold.append(list);
    fold.addEventListener("toggle", () => fold.open && !list.children.length && fill());
    if (opened.has(name)) {
      fill();
      fold.open = true;
    }
    return fold;
  }

  allOf(own) {
    const waiting = own.filter(isWaiting);
    if (own.length < 2 || !waiting.length) return null;
    const made = button("", here.t.acknowledgeAll(waiting.length), () => acknowledged(waiting, this.frame));
    made.disabled = !may("operator");
    made.setAttribute("aria-label", `${made.textContent}: ${about(own[0])}`);
    return made;
  }

  item(alarm, isFirst) {
    const mark = isFirst ? element("span", "chip first", `① ${here.t.firstUp}`) : null;
    return element("li", alarm.state, element("div", "line", priority(alarm), state(alarm), began(alarm), mark), element("div", "", ...text(alarm)), element("div", "deeds", acknowledge(alarm, this.frame), shelve(alarm, this.frame), seldom(alarm, this.frame)));
  }

  askAll() {
    const { t } = here;
    const waiting = this.chosen().filter(isWaiting);
    const alarms = waiting.map(({ id, seen }) => ({ id, seen }));
    ask({
      title: t.acknowledgeAll(alarms.length),
      text: t.acknowledgeAllText,
      yes: t.acknowledge,
      path: "alarms/acknowledge",
      body: { alarms },
      done: (told) => {
        const left = Object.values(told.left);
        this.frame.say(left.length ? t.leftAlone(left.length, say(left[0])) : "");
        this.frame.renew();
      },
    });
  }

  tick() {
    if (performance.now() - this.drawn > AGES && !this.element.querySelector(":hover")) this.draw();
  }
}

function option(value, words) {
  const made = element("option", "", words);
  made.value = value;
  return made;
}

function isWaiting(alarm) {
  return alarm.state === "unacknowledged" || alarm.state === "returned";
}

// the alarm of a machine that was told first in a flood: most likely the cause of the others
function firstUp(alarms, since) {
  const within = alarms.filter((alarm) => (alarm.told ?? "") >= before(since));
  return (within.length ? within : alarms).reduce((first, each) => ((each.told ?? each.since) < (first.told ?? first.since) ? each : first));
}

// a flood is known when many have come: those of the ten minutes before belong to it
function before(since) {
  return new Date(Date.parse(since) - 600000).toISOString();
}

function sorted(alarms, first) {
  return [...alarms].sort((a, b) => (b === first) - (a === first) || rank(a) - rank(b));
}
