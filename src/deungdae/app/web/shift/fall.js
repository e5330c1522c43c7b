// The waterfall: from the planned time by each loss down to the time that made good parts.

import { $, drawn, lettered, onResize } from "../dom.js";
import { savable } from "../picture.js";
import { say } from "../said.js";
import { here } from "../shell.js";
import { fitting, frame, hatching, long, share } from "./say.js";

const ROW = 34;

export class Fall {
  constructor() {
    onResize($("fall-chart"), () => this.draw());
  }

  build() {
    $("fall-tools").replaceChildren(savable($("fall-chart"), here.t.fallTitle));
  }

  show({ whole, shown }) {
    const { t } = here;
    this.whole = whole;
    const words = [];
    if (!whole.planned) words.push(t.fallNone);
    else if (shown.length > 1) words.push(t.fallAll(shown.length));
    const kinds = whole.parts.map((part) => part.kind);
    if (kinds.includes("unknown")) words.push(t.fallUnknown);
    if (kinds.includes("unrated")) words.push(t.fallUnrated);
    $("fall-words").textContent = [...words, ...whole.notes.map((note) => say(note))].join(" ");
    $("fall-chart").toggleAttribute("hidden", !whole.planned);
    this.draw();
  }

  draw() {
    if (!this.whole?.planned) return;
    const { t } = here;
    const { planned, effective, parts, rated } = this.whole;
    const svg = $("fall-chart");
    const width = svg.clientWidth || 600;
    const left = Math.min(190, width * 0.3);
    const right = width - Math.min(178, width * 0.36);
    const x = (seconds) => left + (Math.max(0, seconds) / Math.max(planned, effective)) * (right - left);
    const rows = [["planned-time", t.plannedTime, 0, planned, planned]];
    let rest = planned;
    for (const part of parts) {
      rows.push([part.kind, t.kinds[part.kind], rest - part.seconds, rest, part.seconds]);
      rest -= part.seconds;
    }
    if (rated) rows.push(["effective", t.effective, 0, effective, effective]);
    const drawing = [hatching("fall-hatch")];
    rows.forEach(([kind, name, from, to, seconds], n) => {
      const top = n * ROW;
      const [a, b] = [x(Math.min(from, to)), x(Math.max(from, to))];
      const title = drawn("title", {}, `${name}: ${long(seconds)}, ${share((100 * seconds) / planned)}`);
      drawing.push(lettered("name", 0, top + 22, fitting(name, left - 8)));
      if (n) drawing.push(drawn("line", { class: "link-line", x1: x(to), x2: x(to), y1: top - 6, y2: top + 6 }));
      drawing.push(drawn("rect", { class: `bar-of ${kind}`, x: a, y: top + 6, width: Math.max(b - a, 1.5), height: ROW - 12, rx: 3 }, title));
      drawing.push(lettered("figure", right + 12, top + 22, long(seconds)));
      drawing.push(lettered("tick end", width - 2, top + 22, share((100 * seconds) / planned)));
    });
    const list = rows.map(([, name, , , seconds]) => `${name} ${long(seconds)} ${share((100 * seconds) / planned)}`).join(", ");
    frame(svg, width, rows.length * ROW, t.says(t.fallTitle, list), drawing);
  }
}
