// What machines draw now, by their meters.

import { signalsOf } from "./assets.js";
import { findings, known } from "./shell.js";

// what a machine draws now, kW, or null
export function powerOf(asset) {
  const signal = signalsOf(asset).find((each) => each.unit === "kW");
  const [value, , status] = known.readings.get(signal?.id) ?? [null, null, 2];
  return (status & 3) < 2 && !(status & 0x10) ? value : null;
}

// what all machines with a meter draw now, kW, or null where one is silent
export function powerOfAll() {
  const sites = new Set(findings("demand").map((finding) => finding.asset));
  const drawn = findings("energy").filter((finding) => !sites.has(finding.asset)).map((finding) => powerOf(finding.asset));
  return drawn.length && drawn.every((power) => power !== null) ? drawn.reduce((sum, power) => sum + power, 0) : null;
}
