// A life from left to right, drawn in SVG: a box for each step, the wait on the arrow before it.

import { drawn, lettered, onResize } from "../dom.js";
import { age, day, number } from "../format.js";
import { assetName, here } from "../shell.js";

const BOX = { width: 172, height: 92 };
const GAP = 76; // in which the wait is told
const ROW = BOX.height + 42;
const TOP = 6;
const LOOKS = { good: ["run", "✓"], rework: ["hold", "↻"], scrap: ["down", "✕"] };

export function lookOf(result) {
  const [kind, mark] = LOOKS[result] ?? ["other", "●"];
  return { kind, mark, label: here.t.results_[result] ?? (result || here.t.passed) };
}

// of a lot or a carrier a step tells how many things it served there
function faceOf(step) {
  return step.count ? { kind: "other", mark: "▣", label: here.t.served(number(step.count, here.t.locale)) } : lookOf(step.result);
}

export class Life {
  // told: the answer of the API; choose: called with a step and its number
  constructor(svg, told, choose) {
    Object.assign(this, { svg, told, choose });
    this.chosen = -1;
    svg.setAttribute("aria-label", here.t.lifeSaid(told.code, told.steps.length));
    this.draw();
    onResize(svg, () => this.svg.isConnected && this.draw());
  }

  leave() {
    this.choose = () => {};
  }

  draw() {
    const { steps } = this.told;
    const width = this.svg.clientWidth || 900;
    const perRow = Math.max(1, Math.floor((width + GAP) / (BOX.width + GAP)));
    const rows = Math.ceil(steps.length / perRow);
    const height = rows * ROW - (ROW - BOX.height) + 2 * TOP;
    const parts = steps.flatMap((step, n) => {
      const x = (n % perRow) * (BOX.width + GAP);
      const y = TOP + Math.floor(n / perRow) * ROW;
      return [...this.arrow(step, n, x, y, perRow), this.box(step, n, x, y)];
    });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren(...parts);
  }

  box(step, n, x, y) {
    const { t } = here;
    const look = faceOf(step);
    const name = cut(assetName(step.asset), 15);
    const lines = [
      `${look.mark} ${cut(look.label, 14)}`,
      day(Date.parse(step.end), t.locale, here.factory.timezone),
      step.start ? spent(step) : t.startUnknown,
    ];
    const made = drawn(
      "g",
      { class: `step ${look.kind}${step.via ? " via" : ""}`, role: "button", tabindex: 0, "aria-expanded": n === this.chosen, "aria-description": said(step), transform: `translate(${x} ${y})` },
      drawn("rect", { class: "frame", width: BOX.width, height: BOX.height, rx: 9 }),
      drawn("path", { class: "band", d: `M0 27V9a9 9 0 0 1 9-9H${BOX.width - 9}a9 9 0 0 1 9 9V27Z` }),
      lettered("name", 10, 19, `${name} `), // the space parts the words where they are read aloud
      lettered("word", 10, 46, `${lines[0]} `),
      lettered("", 10, 65, `${lines[1]} `),
      lettered("", 10, 83, lines[2]),
    );
    if (step.doubts.length) made.append(lettered("doubt end", BOX.width - 10, 19, "!"));
    if (step.via) made.append(lettered("end", BOX.width - 10, 46, cut(step.via, 9)));
    made.addEventListener("click", () => this.pick(step, n));
    made.addEventListener("keydown", (event) => {
      const to = { ArrowRight: n + 1, ArrowLeft: n - 1 }[event.key];
      if (to !== undefined) this.svg.querySelectorAll(".step")[to]?.focus();
      else if (event.key !== "Enter" && event.key !== " ") return;
      else this.pick(step, n);
      event.preventDefault();
    });
    return made;
  }

  pick(step, n) {
    this.chosen = this.chosen === n ? -1 : n;
    this.svg.querySelectorAll(".step").forEach((each, k) => each.setAttribute("aria-expanded", k === this.chosen));
    this.choose(this.chosen < 0 ? null : step, n);
  }

  arrow(step, n, x, y, perRow) {
    if (!n) return [];
    const middle = y + BOX.height / 2;
    const words = step.wait === null ? "" : about(step) + age(step.wait, here.t.units);
    if (perRow === 1) {
      const across = BOX.width / 2;
      return [drawn("path", { class: "way", d: `M${across} ${y - ROW + BOX.height}V${y - 7}` }), head(across, y - 1, 90), lettered("wait", across + 12, y - 16, words)];
    }
    if (n % perRow === 0) {
      // from the end of the row above to the beginning of this one
      const end = (perRow - 1) * (BOX.width + GAP) + BOX.width / 2;
      const between = y - (ROW - BOX.height) / 2;
      const d = `M${end} ${y - ROW + BOX.height}V${between}H${BOX.width / 2}V${y - 7}`;
      return [drawn("path", { class: "way", d }), head(BOX.width / 2, y - 1, 90), lettered("wait middle", (end + BOX.width / 2) / 2, between - 5, words)];
    }
    return [
      drawn("path", { class: "way", d: `M${x - GAP} ${middle}H${x - 7}` }),
      head(x - 1, middle, 0),
      lettered("wait middle", x - GAP / 2, middle - 8, words),
    ];
  }
}

function head(x, y, turn) {
  return drawn("path", { class: "tip", d: "M0 0L-8-5V5Z", transform: `translate(${x} ${y}) rotate(${turn})` });
}

// the beginning was not told, but follows from the part before
function about({ inferred }) {
  return inferred ? "≈ " : "";
}

function spent(step) {
  return here.t.took(about(step) + age((Date.parse(step.end) - Date.parse(step.start)) / 1000, here.t.units));
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// what the box itself does not say
function said(step) {
  const { t } = here;
  const parts = [];
  if (step.wait !== null) parts.push(t.waited(age(step.wait, t.units)));
  if (step.via) parts.push(t.viaWord(step.via));
  return [...parts, ...step.doubts.map((doubt) => t.doubts[doubt])].join(", ");
}
