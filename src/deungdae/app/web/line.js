// The line of a twin as it runs now: what each station does, on what, and how full it is between them.

import { $ } from "./dom.js";
import { Plan } from "./plan.js";
import { assetName, here, known } from "./shell.js";
import { buffer, station, summary } from "./stations.js";

export class Line {
  // open(asset): where a person goes from a station, or null
  constructor(open) {
    this.plan = new Plan($("plan"), open);
  }

  build() {
    const [twin] = Object.keys(known.lines);
    $("line").hidden = !twin;
    if (!twin) return;
    this.twin = twin;
    this.plan.show([titled(known.lines[twin])]);
    this.tick();
  }

  tick() {
    if (!this.twin || !here.factory) return;
    this.plan.update({ station: (each) => station(each), buffer: (each) => buffer(each, known.twins[this.twin]) });
    $("line-note").replaceChildren(...summary(known.lines[this.twin].stations.map((each) => each.asset)));
  }
}

// a line with its stations named as people name them
export function titled(line, title = "") {
  return { ...line, title, stations: line.stations.map((each) => ({ ...each, title: assetName(each.asset) })) };
}
