// What an error says, with all its faults, in one place of the page.

import { put } from "../dom.js";

export function tell(place, problem) {
  put(place, problem ? [problem.message, ...(problem.told?.faults ?? [])].join(" · ") : "");
}
