// The states of each machine through the time, one under the other.

import { $, drawn, element, lettered, onResize } from "../dom.js";
import { times } from "../axis.js";
import { savable } from "../picture.js";
import { assetName, here } from "../shell.js";
import { fitting, frame, hatching, long } from "./say.js";

const ROW = 30;
const KINDS = ["production", "setup", "idle", "delay", "failure", "repair", "maintenance", "planned", "unknown"];

export class Course {
  constructor(choose) {
    this.choose = choose;
    onResize($("course-chart"), () => this.draw());
  }

  build() {
    $("course-tools").replaceChildren(savable($("course-chart"), here.t.courseTitle));
  }

  show({ told, shown }) {
    Object.assign(this, { told, shown });
    this.draw();
  }

  draw() {
    if (!this.told) return;
    const { t, factory } = here;
    const svg = $("course-chart");
    const width = svg.clientWidth || 800;
    const left = Math.min(170, width * 0.26);
    const [from, to] = [Date.parse(this.told.start), Date.parse(this.told.until)];
    const x = (ms) => left + ((ms - from) / (to - from)) * (width - left - 2);
    const bottom = this.shown.length * ROW;
    const parts = [hatching("course-hatch")];
    const told = [];
    this.shown.forEach((machine, n) => {
      const top = n * ROW;
      const lengths = {};
      parts.push(lettered("name", 0, top + 20, fitting(assetName(machine.asset), left - 10)));
      for (const [start, end, kind] of machine.ribbon) {
        const [a, b] = [Date.parse(start), Date.parse(end)];
        lengths[kind] = (lengths[kind] ?? 0) + (b - a) / 1000;
        const title = drawn("title", {}, `${assetName(machine.asset)} · ${t.kinds[kind]} · ${long((b - a) / 1000)}`);
        parts.push(drawn("rect", { class: `bar-of ${kind}`, x: x(a), y: top + 5, width: Math.max(x(b) - x(a), 0.5), height: ROW - 10 }, title));
      }
      told.push(`${assetName(machine.asset)} ${Object.entries(lengths).map(([kind, seconds]) => `${t.kinds[kind]} ${long(seconds)}`).join(" ")}`);
    });
    for (const { ms, words } of times(from, to, (width - left) / 90, t.locale, factory.timezone)) {
      parts.push(drawn("line", { class: "grid minor", x1: x(ms), x2: x(ms), y1: 2, y2: bottom + 4 }));
      if (x(ms) < width - 18) parts.push(lettered("tick middle", x(ms), bottom + 20, words));
    }
    const seen = this.shown.flatMap((machine) => machine.ribbon.map((piece) => piece[2]));
    $("course-legend").replaceChildren(...KINDS.filter((kind) => seen.includes(kind)).map((kind) => element("li", "", element("span", `key ${kind}`), t.kinds[kind])));
    frame(svg, width, bottom + 28, t.says(t.courseTitle, told.join(", ")), parts);
  }
}
