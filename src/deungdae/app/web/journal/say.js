// Says in words what an entry of the journal tells.

import { number } from "../format.js";
import { because } from "../reason.js";
import { say } from "../said.js";
import { assetName, assetOf, here, isKorean, known, moment, nameOf, unitOf } from "../shell.js";

// kinds of entries that people look for together
export const GROUPS = {
  commands: ["held", "permit", "written", "refusal", "lost", "declined", "hold", "clear"],
  gate: ["mode", "kill", "release", "set-point"],
  alarms: ["alarm"],
  people: ["login", "logout", "user", "session", "password"],
  shift: ["stop-reason", "handover", "report", "label", "document"],
  factory: ["files", "layout", "dashboard", "search", "backup", "restore", "past", "virtual-fault", "virtual-fault-cleared", "note"],
};

export function kindOf(entry) {
  return here.t.entryKinds[entry.kind] ?? entry.kind;
}

export function who(entry) {
  const name = entry.data.approver || entry.data.person || entry.who;
  if (name.startsWith("person:")) return name.slice("person:".length);
  return name || "–";
}

// an unknown kind is told as it is written
export function said(entry) {
  const { t } = here;
  const words = t.entries[entry.kind];
  return words ? words(told(entry.data)) : Object.entries(entry.data).map(([key, value]) => `${key}: ${plain(value)}`).join(", ");
}

// the parts of an entry, each as people read it
function told(data) {
  const { t } = here;
  const signal = data.signal ?? "";
  const unit = known.signals.get(signal)?.unit ?? "1";
  const rule = known.rules[data.rule]?.[isKorean() ? "ko" : "en"] ?? data.rule ?? "";
  const alarms = data.alarms ?? [];
  return {
    ...data,
    signal: signal ? nameFull(signal) : "",
    value: typeof data.value === "number" ? `${number(data.value, t.locale)} ${unitOf(unit)}`.trim() : plain(data.value),
    readBack: data.read_back === null || data.read_back === undefined ? "" : `${number(data.read_back, t.locale)} ${unitOf(unit)}`.trim(),
    rule,
    reason: signal ? say(plain(data.reason)) : plain(data.reason),
    because: because(data),
    note: plain(data.note),
    what: plain(data.what),
    mode: t.modes[data.what] ?? plain(data.what),
    before: t.modes[data.before] ?? plain(data.before),
    target: plain(data.set_point),
    held: nameFull(plain(data.what)),
    alarm: alarms.length > 3 ? `${alarms.slice(0, 3).map(nameFull).join(", ")} … (${alarms.length})` : alarms.map(nameFull).join(", "),
    deed: t.alarmDeeds[data.what] ?? plain(data.what),
    role: t.roles[data.role] ?? plain(data.role),
    action: t.userDeeds[data.action] ?? plain(data.action),
    assetName: data.asset ? assetName(data.asset) : "",
    begun: data.start ? moment(data.start) : "",
    since: data.from ? moment(data.from) : "",
    ended: data.end || data.until ? moment(data.end || data.until) : "",
    files: Array.isArray(data.files) ? data.files.join(", ") : plain(data.files),
  };
}

function nameFull(id) {
  if (!id.includes(".")) return id;
  return `${assetName(assetOf(id))} · ${nameOf(id)}`;
}

function plain(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
