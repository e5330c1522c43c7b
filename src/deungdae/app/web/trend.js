// A trend in SVG: real time axis, gaps as gaps, values readable where the pointer is.

import { clock, isCounted, number } from "./format.js";

export const SPAN = 15 * 60 * 1000;
const GAP = 60 * 1000; // between two samples; a longer silence is drawn as one
const LEFT = 64;
const RIGHT = 12;
const NS = "http://www.w3.org/2000/svg";

export class Series {
  constructor(signal) {
    this.signal = signal;
    this.points = []; // [ms, value or null]
  }

  add(ms, value) {
    const last = this.points.at(-1);
    if (last && ms <= last[0]) return;
    this.points.push([ms, value]);
  }

  forget(before) {
    // one point before the window is kept, so that the line enters from the left
    while (this.points.length > 1 && this.points[1][0] < before) this.points.shift();
  }
}

export class Plot {
  constructor(parent, { series, target, height, axis, held }) {
    this.series = series;
    this.target = target; // () => number or null: drawn as a line across
    this.height = height;
    this.axis = axis;
    this.held = held; // a value holds until the next one: drawn in steps
    this.pointer = null;
    this.svg = make("svg", { class: "plot", role: "img" });
    parent.append(this.svg);
    this.svg.addEventListener("pointermove", (event) => {
      this.pointer = event.clientX - this.svg.getBoundingClientRect().left;
    });
    this.svg.addEventListener("pointerleave", () => {
      this.pointer = null;
    });
  }

  // words: { locale, zone, label, targetLabel, unit }
  draw(now, words) {
    this.words = words;
    const { locale, zone, label, targetLabel } = words;
    const width = this.svg.clientWidth || 600;
    const bottom = this.axis ? 24 : 6;
    const box = { left: LEFT, right: width - RIGHT, top: 26, bottom: this.height - bottom };
    const start = now - SPAN;
    this.series.forget(start);
    const inside = this.series.points.filter(([ms, value]) => value !== null && ms >= start - GAP);
    const target = this.target ? this.target() : null;
    const [low, high] = range(inside.map((point) => point[1]), target, this.series.signal);
    const x = (ms) => box.left + ((ms - start) / SPAN) * (box.right - box.left);
    const y = (value) => box.bottom - ((value - low) / (high - low)) * (box.bottom - box.top);
    const parts = [];
    for (const value of ticks(low, high, Math.max(3, Math.floor((box.bottom - box.top) / 44)))) {
      parts.push(make("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }));
      parts.push(text("tick end", box.left - 8, y(value) + 5, number(value, locale)));
    }
    const minute = width > 700 ? 60000 : 180000;
    for (let ms = Math.ceil(start / minute) * minute; ms <= now; ms += minute) {
      const major = (ms / 60000) % (width > 700 ? 3 : 5) === 0;
      parts.push(make("line", { class: major ? "grid" : "grid minor", x1: x(ms), x2: x(ms), y1: box.top, y2: box.bottom }));
      if (this.axis && major && x(ms) < box.right - 20) {
        parts.push(text("tick middle", x(ms), this.height - 4, clock(ms, locale, zone, false)));
      }
    }
    if (target !== null && target >= low && target <= high) {
      parts.push(make("line", { class: "target", x1: box.left, x2: box.right, y1: y(target), y2: y(target) }));
      parts.push(text("target-label end", box.right - 4, y(target) - 6, `${targetLabel} ${number(target, locale)}`));
    }
    const clip = `clip-${this.series.signal.id.replaceAll(/[^\w-]/g, "_")}`;
    parts.push(clipping(clip, box));
    parts.push(make("path", { class: "line", d: this.path(x, y, now), "clip-path": `url(#${clip})` }));
    parts.push(...this.caption(label, locale, box));
    if (this.pointer !== null) parts.push(...this.reading(start, x, y, box, locale, zone));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("height", this.height);
    this.svg.setAttribute("aria-label", label);
    this.svg.replaceChildren(...parts);
  }

  path(x, y, now) {
    let d = "";
    let before = null;
    for (const [ms, value] of this.series.points) {
      if (value === null) {
        if (before && this.held) d += `H${x(ms).toFixed(1)}`;
        before = null;
        continue;
      }
      const joined = before && (this.held || ms - before < GAP);
      if (!joined) d += `M${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
      else if (this.held) d += `H${x(ms).toFixed(1)}V${y(value).toFixed(1)}`;
      else d += `L${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
      before = ms;
    }
    if (before && this.held && now > before) d += `H${x(now).toFixed(1)}`;
    return d || "M0 0";
  }

  caption(label, locale, box) {
    const last = this.series.points.at(-1);
    const value = last ? number(last[1], locale, !isCounted(this.series.signal)) : "–";
    return [
      text("name", box.left, 17, label),
      text("value end", box.right, 18, `${value} ${this.words.unit}`),
    ];
  }

  reading(start, x, y, box, locale, zone) {
    const ms = start + ((this.pointer - box.left) / (box.right - box.left)) * SPAN;
    const found = this.series.points.findLast(([time]) => time <= ms);
    if (!found || found[1] === null || this.pointer < box.left) return [];
    const words = `${clock(found[0], locale, zone)}  ${number(found[1], locale, !isCounted(this.series.signal))} ${this.words.unit}`;
    const side = this.pointer > (box.left + box.right) / 2 ? "end" : "";
    return [
      make("line", { class: "pointer", x1: this.pointer, x2: this.pointer, y1: box.top, y2: box.bottom }),
      make("circle", { class: "point", cx: Math.max(box.left, x(found[0])), cy: y(found[1]), r: 4 }),
      text(`reading ${side}`, this.pointer + (side ? -8 : 8), box.top + 16, words),
    ];
  }
}

function range(values, target, signal) {
  const all = target === null ? values : [...values, target];
  if (!all.length) return [signal.low ?? 0, signal.high ?? 1];
  const low = Math.min(...all);
  const high = Math.max(...all);
  // noise must not look like an event: never finer than a fiftieth of the physical range
  const whole = signal.low === null || signal.high === null ? Math.abs(high) : signal.high - signal.low;
  const margin = Math.max((high - low) * 0.1, (whole / 50 || 1) / 2 - (high - low) / 2);
  return [low - margin, high + margin];
}

// round values between two, about so many
export function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(Number((n * step).toPrecision(12)));
  return found;
}

function make(name, attributes) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(kind, x, y, words) {
  const element = make("text", { class: kind, x, y });
  element.textContent = words;
  return element;
}

function clipping(id, box) {
  const clip = make("clipPath", { id });
  clip.append(make("rect", { x: box.left, y: box.top - 2, width: box.right - box.left, height: box.bottom - box.top + 4 }));
  return clip;
}
