// States of machines as people see them: a colour, a shape and a word, never a colour alone.

import { signalsOf } from "./assets.js";
import { here } from "./shell.js";

// kind of a state by its word, after MTConnect, PackML and plain words; others are shown neutral
const KINDS = {
  run: ["running", "active", "execute", "producing", "run"],
  idle: ["idle", "ready", "waiting", "starved", "blocked", "complete", "suspended", "optional_stop", "program_completed"],
  down: ["down", "fault", "failure", "failed", "aborted", "alarm", "error"],
  hold: ["setup", "held", "interrupted", "feed_hold", "stopped", "program_stopped", "maintenance", "wait"],
  off: ["off"],
};
const MARKS = { run: "▶", idle: "◐", down: "■", hold: "◆", off: "○", other: "●", none: "∅" };

// event: [word, ms, status], or undefined where nothing is known
export function look(event) {
  const missing = !event || (event[2] & 3) >= 2 || event[0].toUpperCase() === "UNAVAILABLE";
  const word = missing ? "" : event[0].toLowerCase();
  const kind = missing ? "none" : (Object.keys(KINDS).find((key) => KINDS[key].includes(word)) ?? "other");
  const label = missing ? here.t.noData : (here.t.states[word] ?? event[0]);
  return { kind, mark: MARKS[kind], label, since: event ? event[1] : null };
}

// the signal that tells the state of an asset, or undefined
export function stateOf(asset) {
  return signalsOf(asset).find((signal) => signal.kind === "state");
}
