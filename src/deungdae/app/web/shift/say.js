// Lengths of time, shares and counts as people say them; the pattern of what is not known.

import { drawn } from "../dom.js";
import { number, percent } from "../format.js";
import { here } from "../shell.js";

// a length of time in s, as people say it
export function long(seconds) {
  const minutes = Math.round(Math.abs(seconds) / 60);
  const sign = seconds < 0 ? "−" : "";
  if (minutes < 1) return `${sign}${here.t.seconds(Math.round(Math.abs(seconds)))}`;
  return `${sign}${here.t.hm(Math.floor(minutes / 60), minutes % 60)}`;
}

export function share(value) {
  return `${percent(value, here.t.locale)} %`;
}

export function many(value) {
  return value === null || value === undefined ? "–" : number(Math.round(value), here.t.locale);
}

// hatching for time without data: `fill: url(#name)`; it stands within the drawing, so that it is saved with it
export function hatching(name) {
  const line = drawn("path", { d: "M-2 10L10 -2M4 16L16 4", class: "hatch-line" });
  const ground = drawn("rect", { width: 12, height: 12, class: "hatch-ground" });
  return drawn("defs", {}, drawn("pattern", { id: name, width: 12, height: 12, patternUnits: "userSpaceOnUse" }, ground, line));
}

export function frame(svg, width, height, label, parts) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", label);
  svg.replaceChildren(...parts);
}

// a text that is cut where it does not fit; letters of Hangul are about as wide as high
export function fitting(words, width, size = 14) {
  let used = 0;
  let kept = "";
  for (const letter of words) {
    used += letter > "\u1100" ? size * 0.93 : size * 0.56;
    if (used > width) return `${kept.trimEnd()}…`;
    kept += letter;
  }
  return kept;
}

// what is said of time without a known state: no data, or a state that nobody explained
export function unknownWord(state) {
  return /^(unknown|unavailable)$/i.test(state) ? here.t.noData : here.t.unclear(state);
}
