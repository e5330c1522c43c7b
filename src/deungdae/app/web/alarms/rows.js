// What stands in the rows of alarms, and what a person can do with one.

import { button, element } from "../dom.js";
import { age } from "../format.js";
import { menu } from "../menu.js";
import { PRIORITIES, badge } from "../priority.js";
import { say } from "../said.js";
import { ask, assetName, at, here, known, may, moment, nameOf, now, send } from "../shell.js";

// each state has its own shape beside its word
const SHAPES = { unacknowledged: "●", acknowledged: "✓", returned: "↩", shelved: "‖", suppressed: "∅", out_of_service: "✕" };

export function isDoor(alarm) {
  return (alarm.source ?? "").startsWith("door:");
}

// what an alarm is called: the name of its signal, or what kind of thing it is
export function title(alarm) {
  const { t } = here;
  const base = alarm.id.split(":")[0];
  const last = base.slice(base.lastIndexOf(".") + 1);
  const source = alarm.source ?? "";
  if (isDoor(alarm)) return t.doorOfflineOf(alarm.asset.slice(alarm.asset.indexOf(".") + 1));
  if (source === "gate") return t.signalHeld(nameOf(base.slice(0, -".held".length)));
  if (source.startsWith("finding:")) return t.findings[last] ?? last;
  return known.signals.has(base) ? nameOf(base) : last;
}

// what it is about, in words
export function about(alarm) {
  if ((alarm.source ?? "").startsWith("door:")) return here.t.doorOf(alarm.asset.slice(alarm.asset.indexOf(".") + 1));
  if (alarm.source === "gate") return assetName(alarm.asset.slice(0, alarm.asset.lastIndexOf(".")) || alarm.asset);
  if ((alarm.source ?? "").startsWith("finding:")) return assetName(alarm.asset.slice(0, -alarm.source.length + "finding".length));
  return assetName(alarm.asset) || "–";
}

function place(alarm) {
  const source = alarm.source ?? "";
  if (source.startsWith("door:")) return "/connections";
  if (source === "gate") return "/control";
  const asset = source.startsWith("finding:") ? alarm.asset.slice(0, -source.length + "finding".length) : alarm.asset;
  return `/machine/${encodeURIComponent(asset)}`;
}

export function link(alarm, words = about(alarm)) {
  const made = element("a", "", words);
  made.href = place(alarm);
  return made;
}

export function state(alarm) {
  const shape = element("span", "shape", SHAPES[alarm.state]);
  shape.setAttribute("aria-hidden", "true");
  return element("span", `stand ${alarm.state}`, shape, here.t.alarmStates[alarm.state]);
}

// when it began, and how long ago that is
export function began(alarm) {
  const { t } = here;
  const seconds = (now() - Date.parse(alarm.since)) / 1000;
  const made = element("span", "", seconds < 86400 ? at(alarm.since) : moment(alarm.since), element("small", "quiet", t.ago(age(seconds, t.units))));
  made.title = moment(alarm.since, true);
  return made;
}

// what it says, what it means, and what to do
export function text(alarm) {
  const { t } = here;
  const marks = [
    alarm.chatters && element("span", "chip idle", `≋ ${t.chatters}`),
    alarm.stale && element("span", "chip", `∞ ${t.stale}`),
  ].filter(Boolean);
  const said = alarm.text && alarm.text !== title(alarm) ? element("p", "said-text", say(alarm.text)) : null;
  const code = alarm.code ? element("span", "quiet", ` ${alarm.code}`) : null;
  return [
    element("p", "", element("strong", "", title(alarm)), code, ...marks),
    said,
    alarm.response ? element("p", "what", `${t.todo}: ${alarm.response}`) : null,
    alarm.consequence ? element("p", "quiet", `${t.otherwise}: ${alarm.consequence}`) : null,
    alarm.state === "acknowledged" && alarm.person ? element("p", "quiet", t.seenBy(alarm.person, at(alarm.done))) : null,
  ].filter(Boolean);
}

export function rank(alarm) {
  return PRIORITIES.indexOf(alarm.priority);
}

export function priority(alarm) {
  return badge(alarm.priority);
}

// ---- what a person can do

function act(kind, words, alarm, role, doing) {
  const made = button("", words, doing);
  made.dataset.act = `${kind} ${alarm.id}`;
  made.setAttribute("aria-label", `${words}: ${about(alarm)} ${title(alarm)}`);
  made.disabled = !may(role);
  if (made.disabled) made.title = here.t.needs(here.t.roles[role]);
  return made;
}

export function acknowledge(alarm, frame) {
  if (!["unacknowledged", "returned"].includes(alarm.state)) return null;
  return act("acknowledge", here.t.acknowledge, alarm, "operator", () => acknowledged([alarm], frame));
}

export async function acknowledged(alarms, frame) {
  const { t } = here;
  const seen = alarms.map(({ id, seen }) => ({ id, seen }));
  try {
    const told = await send("alarms/acknowledge", { alarms: seen });
    const left = Object.entries(told.left);
    frame.say(left.length ? t.leftAlone(left.length, say(left[0][1])) : "");
  } catch (problem) {
    frame.say(problem instanceof TypeError ? t.failed : problem.message);
  }
  frame.renew();
}

export function shelve(alarm, frame) {
  const { t } = here;
  const most = Math.floor((alarm.longest ?? 0) / 60);
  return act("shelve", t.shelve, alarm, "operator", () =>
    ask({
      title: t.shelveTitle,
      text: `${about(alarm)} — ${title(alarm)}. ${t.shelveText(most)}`,
      yes: t.shelve,
      path: "alarms/shelve",
      body: { alarm: alarm.id },
      fields: [["minutes", t.minutes, "number", Math.min(30, most)]],
      reason: true,
      done: () => frame.renew(),
    }),
  );
}

export function unshelve(alarm, frame) {
  const { t } = here;
  const wish = { title: t.unshelveTitle, text: `${about(alarm)} — ${title(alarm)}`, yes: t.unshelve, path: "alarms/unshelve", body: { alarm: alarm.id }, done: () => frame.renew() };
  return act("unshelve", t.unshelve, alarm, "operator", () => ask(wish));
}

// what is seldom done with an alarm
export function seldom(alarm, frame) {
  const made = menu("⋯", `${here.t.moreDeeds}: ${title(alarm)}`, [[here.t.takeOut, () => ask(serving(alarm, frame, true))]]);
  made.hidden = !may("engineer");
  made.querySelector("summary").dataset.act = `seldom ${alarm.id}`;
  return made;
}

export function service(alarm, frame, out) {
  return act("service", out ? here.t.takeOut : here.t.putBack, alarm, "engineer", () => ask(serving(alarm, frame, out)));
}

function serving(alarm, frame, out) {
  const { t } = here;
  const words = out ? t.takeOut : t.putBack;
  return { title: `${words}: ${title(alarm)}`, text: out ? t.takeOutText : t.putBackText, yes: words, path: "alarms/service", body: { alarm: alarm.id, out }, reason: true, done: () => frame.renew() };
}

// fills a table anew without taking the keys away from the button that a person stands on
export function refill(place, fill) {
  const standing = place.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  fill();
  if (!standing) return;
  const again = [...place.querySelectorAll("[data-act]")].find((each) => each.dataset.act === standing);
  (again ?? place.querySelector("[data-act]"))?.focus();
}

