// The signals of each asset, and what contains it: looked up once for each description of a factory.

import { assetOf, known } from "./shell.js";

let described = null; // the signals that `own` was made from
let own = new Map();

// the signals that are about an asset itself
export function signalsOf(asset) {
  if (described !== known.signals) {
    described = known.signals;
    own = Map.groupBy(known.signals.values(), (signal) => assetOf(signal.id));
  }
  return own.get(asset) ?? [];
}

// what stands in the plant: equipment that contains no other, in the order of the file
export function machines() {
  const parents = new Set(known.assets.map((asset) => asset.parent));
  return known.assets.filter((asset) => !parents.has(asset.id) && !(asset.level !== "unit" && !signalsOf(asset.id).length));
}

// the doors by which an asset's signals come
export function doorsOf(asset) {
  const names = new Set(signalsOf(asset).map((signal) => signal.source.split(":")[0]));
  return known.machines.filter((door) => door.room === "machines" && names.has(door.name));
}
