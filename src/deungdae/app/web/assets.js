// What belongs to an asset: its signals, findings and doors. Plants have thousands of them.

import { assetOf, known } from "./shell.js";

// a function that groups what known has of a name by what `of` says, once for all until it changes
function grouped(name, of) {
  let all = null;
  let groups = new Map();
  return (asset) => {
    if (all !== known[name]) {
      all = known[name];
      groups = Map.groupBy(all.values(), of);
    }
    return groups.get(asset) ?? [];
  };
}

// the signals that are about an asset itself
export const signalsOf = grouped("signals", (signal) => assetOf(signal.id));

// the newest findings about an asset
export const findingsOf = grouped("findings", (finding) => finding.asset);

let described = null; // the assets of which `standing` was made
let standing = [];

// what stands in the plant: equipment that contains no other, in the order of the file
export function machines() {
  if (described !== known.assets) {
    described = known.assets;
    const parents = new Set(described.map((asset) => asset.parent));
    standing = described.filter((asset) => !parents.has(asset.id) && (asset.level === "unit" || signalsOf(asset.id).length));
  }
  return standing;
}

// the doors by which an asset's signals come
export function doorsOf(asset) {
  const names = new Set(signalsOf(asset).map((signal) => signal.source.split(":")[0]));
  return known.machines.filter((door) => door.room === "machines" && names.has(door.name));
}
