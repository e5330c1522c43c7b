// The last 24 hours of a connection, as a strip.

import { drawn, element } from "../dom.js";
import { at, here } from "../shell.js";

const KINDS = { o: "open", p: "partly", x: "lost", "-": "unknown" };
const HEIGHT = 14;

export function strip({ start, step, machines }, name) {
  const { t } = here;
  const letters = machines[name];
  const begin = Date.parse(start);
  const runs = [];
  [...letters].forEach((letter, n) => {
    if (runs.at(-1)?.letter === letter) runs.at(-1).until = n + 1;
    else runs.push({ letter, from: n, until: n + 1 });
  });
  const time = (n) => at(new Date(begin + n * step * 1000).toISOString(), false);
  const parts = runs.map(({ letter, from, until }) => {
    const part = drawn("rect", { class: KINDS[letter], x: from, y: letter === "x" ? 0 : 2, width: until - from, height: letter === "x" ? HEIGHT : HEIGHT - 4 });
    part.append(drawn("title", {}, `${time(from)}–${time(until)} ${t.day[KINDS[letter]]}`));
    return part;
  });
  const seen = letters.replace(/-/g, "").length;
  const open = letters.replace(/[-x]/g, "").length;
  const words = seen ? t.dayWords(Math.round((100 * open) / seen), ((seen * step) / 3600).toLocaleString(t.locale, { maximumFractionDigits: 1 })) : t.dayNone;
  const box = drawn("svg", { class: "strip", viewBox: `0 0 ${letters.length} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: ${words}` }, ...parts);
  return element("div", "day", box, element("span", "quiet", words));
}
