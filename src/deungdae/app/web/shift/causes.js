// The Pareto of stops: what took how long, how often, and how much it is together with those above.

import { $, drawn, lettered, onResize } from "../dom.js";
import { savable } from "../picture.js";
import { here } from "../shell.js";
import { fitting, frame, hatching, long, share, unknownWord } from "./say.js";

const SHOWN = 8;
const ROW = 44;
const UNTOLD = ["failure", "repair", "delay"]; // the others say themselves what was

export class Causes {
  constructor() {
    onResize($("causes-chart"), () => this.draw());
  }

  build() {
    $("causes-tools").replaceChildren(savable($("causes-chart"), here.t.causesTitle));
  }

  show({ whole }) {
    const known = whole.causes.filter((cause) => cause.cumulative !== null);
    const rest = known.slice(SHOWN);
    this.rows = known.slice(0, SHOWN);
    if (rest.length) this.rows.push({ reason: here.t.otherCauses(rest.length), category: "", seconds: sum(rest, "seconds"), count: sum(rest, "count"), cumulative: 100 });
    this.rows.push(...whole.causes.filter((cause) => cause.cumulative === null).slice(0, 3));
    $("causes-chart").toggleAttribute("hidden", !this.rows.length);
    $("causes-words").textContent = this.rows.length ? here.t.causesWords : here.t.noCauses;
    this.draw();
  }

  draw() {
    if (!this.rows?.length) return;
    const { t } = here;
    const svg = $("causes-chart");
    const width = svg.clientWidth || 400;
    const told = this.rows.filter((cause) => cause.cumulative !== null);
    const most = Math.max(...(told.length ? told : this.rows).map((cause) => cause.seconds));
    const right = width - 4;
    const parts = [hatching("causes-hatch")];
    const texts = [];
    const line = [];
    this.rows.forEach((cause, n) => {
      const top = n * ROW;
      const figure = `${long(cause.seconds)} (${t.times(cause.count)})`;
      texts.push(lettered("name", 0, top + 15, fitting(nameOf(cause), width - figure.length * 10)));
      texts.push(lettered("figure end", right, top + 15, figure));
      const title = drawn("title", {}, `${nameOf(cause)}: ${figure}${cause.cumulative === null ? "" : `, ${share(cause.cumulative)}`}`);
      parts.push(drawn("rect", { class: `bar-of ${cause.category || "told"}`, x: 0, y: top + 21, width: Math.min(Math.max((cause.seconds / most) * right, 2), right), height: 14, rx: 3 }, title));
      if (cause.cumulative !== null) line.push([(cause.cumulative / 100) * right, top + 28]);
    });
    if (line.length > 1) {
      parts.push(drawn("polyline", { class: "sum-line", points: line.map((point) => point.join()).join(" ") }));
      for (const [x, y] of line) parts.push(drawn("circle", { class: "sum-point", cx: x, cy: y, r: 3.5 }));
    }
    const list = this.rows.map((cause) => `${nameOf(cause)} ${long(cause.seconds)} ${t.times(cause.count)}`).join(", ");
    frame(svg, width, this.rows.length * ROW, t.says(t.causesTitle, list), [...parts, ...texts]);
  }
}

function nameOf(cause) {
  const { t } = here;
  const state = t.states[cause.state?.toLowerCase()] ?? t.kinds[cause.category] ?? cause.state;
  if (cause.category === "unknown") return cause.reason ? `${unknownWord(cause.state)}: ${cause.reason}` : unknownWord(cause.state);
  return cause.reason || (UNTOLD.includes(cause.category) ? t.untold(state) : state);
}

function sum(rows, key) {
  return rows.reduce((total, row) => total + row[key], 0);
}
