// What an error says, with all its faults, in one place of the page, if that is still open.

import { put } from "../dom.js";
import { say } from "../said.js";

export function tell(place, problem) {
  if (place) put(place, problem ? [problem.message, ...(problem.told?.faults ?? []).map((fault) => say(fault))].join(" · ") : "");
}
