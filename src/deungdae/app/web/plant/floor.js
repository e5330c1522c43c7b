// The plan of the plant: the lines of its twins, and all other machines by what contains them.

import { machines, signalsOf } from "../assets.js";
import { $ } from "../dom.js";
import { titled } from "../line.js";
import { Plan } from "../plan.js";
import { assetName, here, known, watch } from "../shell.js";
import { buffer, lookOf, station } from "../stations.js";
import { Arrange } from "./arrange.js";
import { MANY, placeOf } from "./places.js";

export class Floor {
  constructor(why) {
    this.why = why;
    this.plan = new Plan($("plant-plan"), placeOf);
    this.arrange = new Arrange(this.plan);
  }

  build() {
    const many = machines().length > MANY;
    watch(machines().flatMap((asset) => signalsOf(asset.id).filter((signal) => isShown(signal, many)).map((signal) => signal.id)));
    $("floor").hidden = many || !machines().length;
    if ($("floor").hidden) return;
    this.blocks = blocks();
    this.twins = new Map(this.blocks.flatMap((block) => block.buffers.map((each) => [each, block.twin])));
    if (!this.arrange.isOn) this.plan.show(this.blocks, known.layout);
    this.arrange.build();
    this.tick();
  }

  take(changed) {
    if (changed("session")) this.arrange.build();
  }

  tick() {
    if (!this.blocks) return;
    this.plan.update({
      station: (each) => station(each, this.reason(each.asset), this.why.lastAlarmOf(each.asset)),
      buffer: (each) => buffer(each, known.twins[this.twins.get(each)]),
    });
  }

  // why a machine stands, or the alarm of one that runs
  reason(asset) {
    const shown = lookOf(asset);
    const alarm = this.why.alarmOf(asset);
    if (shown.kind === "run") return alarm && `⚠ ${alarm}`;
    return ["down", "hold", "none", "idle"].includes(shown.kind) ? this.why.cause(asset, shown).text : "";
  }

  leave() {
    this.arrange.leave();
  }
}

// whether the page shows a signal: what machines draw, and on the plan what they have made
function isShown(signal, many) {
  return signal.unit === "kW" || (!many && (signal.unit === "{part}" || signal.id.endsWith(".count")));
}

// the lines, and then the machines that stand in none, by what contains them
function blocks() {
  const lines = Object.entries(known.lines).map(([twin, line]) => ({ ...titled(line), twin }));
  const placed = new Set(lines.flatMap((line) => line.stations.map((each) => each.asset)));
  const own = machines().filter((asset) => !placed.has(asset.id));
  const groups = [...Map.groupBy(own, (asset) => asset.parent)].map(([parent, assets]) => ({
    title: parent ? assetName(parent) : lines.length ? here.t.others : "",
    stations: assets.map((asset) => ({ name: asset.id, title: asset.name || asset.id, asset: asset.id, inputs: [], outputs: [] })),
    buffers: [],
  }));
  if (lines.length + groups.length > 1) for (const line of lines) line.title = titleOf(line);
  return [...lines, ...groups];
}

// the name of what contains most of a line's stations, or the line's own
function titleOf(line) {
  const parents = line.stations.map((each) => known.assets.find((asset) => asset.id === each.asset)?.parent).filter(Boolean);
  const [parent] = [...Map.groupBy(parents, (each) => each)].sort(([, a], [, b]) => b.length - a.length)[0] ?? [];
  return parent ? assetName(parent) : line.name;
}
