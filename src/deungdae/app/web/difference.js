// How two texts differ, to be looked at: with line numbers, signs and colours.

import { compare, shortened } from "./diff.js";
import { element } from "./dom.js";
import { here } from "./shell.js";

export function difference(before, after) {
  const rows = shortened(compare(before.replace(/\n$/, ""), after.replace(/\n$/, ""))).map((line) => {
    if (line === null) return element("tr", "left-out", element("td"), element("td"), element("td", "", "⋯"));
    const kind = { "+": "added", "-": "taken", " ": "" }[line.sign];
    return element("tr", kind, element("td", "number", String((line.sign === "-" ? line.before : line.after) ?? "")), element("td", "sign", signOf(line.sign)), element("td", "", line.text));
  });
  const table = element("table", "", element("tbody", "", ...rows));
  table.setAttribute("aria-label", here.t.difference);
  const wrap = element("div", "difference", table);
  wrap.tabIndex = 0;
  wrap.setAttribute("role", "region");
  wrap.setAttribute("aria-label", here.t.difference);
  return wrap;
}

function signOf(sign) {
  if (sign === " ") return " ";
  return element("span", "", sign === "+" ? "+" : "−", element("span", "said", sign === "+" ? here.t.added : here.t.taken));
}
