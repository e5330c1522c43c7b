// An indicator with what it can be at worst and at best.

import { element } from "../dom.js";
import { percent } from "../format.js";
import { here } from "../shell.js";

export function tile(name, { value, low, high, reason }) {
  const { t } = here;
  const figure = element("p", "figure", value === null ? "–" : percent(value, t.locale), element("small", "", value === null ? "" : "%"));
  const made = element("div", `tile ${name}`, element("p", "label", t.kpi[name]), figure);
  if (value === null) {
    made.append(element("p", "quiet", t.cannot));
    made.title = reason;
    return made;
  }
  made.append(bar(value, low, high));
  if (low !== null && high - low >= 0.1) made.append(element("p", "quiet range", t.range(percent(low, t.locale), percent(high, t.locale))));
  return made;
}

function bar(value, low, high) {
  const made = element("div", "bar");
  if (low !== null) {
    const possible = element("span", "possible");
    possible.style.left = `${clamp(low)}%`;
    possible.style.width = `${clamp(high) - clamp(low)}%`;
    made.append(possible);
  }
  const mark = element("span", "at");
  mark.style.left = `${clamp(value)}%`;
  made.append(mark);
  return made;
}

function clamp(value) {
  return Math.min(100, Math.max(0, value));
}
