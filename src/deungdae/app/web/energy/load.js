// The load curve: the mean power of each quarter of an hour, the highest marked, silence hatched.

import { ticks, times, tickWords } from "../axis.js";
import { drawn, lettered, onResize } from "../dom.js";
import { number } from "../format.js";
import { here, moment } from "../shell.js";

const HEIGHT = 260;
const BOX = { left: 62, right: 16, top: 26, bottom: 28 };
const QUARTER = 15 * 60000;

export class Load {
  constructor(svg) {
    this.svg = svg;
    this.account = null;
    onResize(svg, () => this.draw());
  }

  show(account) {
    this.account = account;
    this.draw();
  }

  draw() {
    if (!this.account) return;
    const { t, factory } = here;
    const { load, peak, start, end } = this.account;
    const width = this.svg.clientWidth || 600;
    const box = { left: BOX.left, right: width - BOX.right, top: BOX.top, bottom: HEIGHT - BOX.bottom };
    const [from, to] = [Date.parse(start), Math.max(Date.parse(end), Date.parse(start) + QUARTER)];
    const most = Math.max(...load.map((block) => block.value ?? 0), 1) * 1.12;
    const x = (ms) => box.left + ((ms - from) / (to - from)) * (box.right - box.left);
    const y = (value) => box.bottom - (value / most) * (box.bottom - box.top);
    const levels = ticks(0, most, 5);
    const parts = [silence(), lettered("tick end", box.left - 8, box.top - 10, "kW")];
    for (const level of levels) {
      parts.push(drawn("line", { class: "grid", x1: box.left, x2: box.right, y1: y(level), y2: y(level) }));
      parts.push(lettered("tick end", box.left - 8, y(level) + 5, tickWords(level, levels, t.locale)));
    }
    for (const { ms, words } of times(from, to, Math.floor(width / 110), t.locale, factory.timezone)) {
      parts.push(lettered("tick middle", x(ms), HEIGHT - 8, words));
    }
    for (const block of load) {
      const [left, right] = [x(Date.parse(block.start)), x(Date.parse(block.start) + QUARTER)];
      const place = { x: left, width: Math.max(right - left - (right - left > 4 ? 1 : 0), 0.5) };
      const top = block.value === null ? box.top : y(block.value);
      const kind = block.value === null ? "gap" : block.start === peak?.start ? "load-bar highest" : "load-bar";
      const words = `${moment(block.start)}  ${block.value === null ? t.noData : `${number(block.value, t.locale, true)} kW`}`;
      parts.push(drawn("rect", { class: kind, ...place, y: top, height: Math.max(box.bottom - top, 0) }, drawn("title", {}, words)));
    }
    if (peak) {
      const at = Math.min(Math.max(x(Date.parse(peak.start) + QUARTER / 2), box.left + 70), box.right - 70);
      parts.push(lettered("peak middle", at, y(peak.value) - 8, `▲ ${number(peak.value, t.locale, true)} kW`));
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("height", HEIGHT);
    this.svg.setAttribute("aria-label", peak ? t.peakAt(moment(peak.start), number(peak.value, t.locale, true)) : t.noQuarter);
    this.svg.replaceChildren(...parts);
  }
}

// the pattern of what nobody told
function silence() {
  const line = drawn("path", { d: "M0 8L8 0", class: "hatch" });
  return drawn("defs", {}, drawn("pattern", { id: "load-silence", width: 8, height: 8, patternUnits: "userSpaceOnUse" }, line));
}
