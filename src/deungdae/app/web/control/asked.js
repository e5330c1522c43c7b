// A dialog about something that may change while it is open: then it says so, and does nothing.

import { $ } from "../dom.js";
import { ask, here } from "../shell.js";

let watched = null; // () => what has changed since it was asked, in words, or ""

// wish: as for ask(); changed: gives in words what has changed meanwhile, or ""
export function askSeen(wish, changed) {
  watched = changed;
  $("dialog-yes").disabled = false;
  $("dialog").addEventListener("close", forget, { once: true });
  ask(wish);
}

// to be called whenever something may have changed
export function lookAgain() {
  if (!watched || !$("dialog").open) return;
  const words = watched();
  if (!words) return;
  $("dialog-error").textContent = `${words} ${here.t.nothingDone}`;
  $("dialog-yes").disabled = true;
  watched = null;
}

function forget() {
  watched = null;
  $("dialog-yes").disabled = false;
}
