// The bell in the header: how many alarms nobody has acknowledged, and how urgent the worst is.

import { $, element, put } from "./dom.js";
import { mark } from "./priority.js";
import { here, known } from "./shell.js";
import { chime } from "./tone.js";

let before = null; // how many there were

export function ring() {
  const { t } = here;
  const { alarms } = known;
  $("bell").hidden = !alarms;
  if (!alarms) return;
  const count = Object.values(alarms.waiting).reduce((sum, n) => sum + n, 0);
  const words = count ? t.bellWords(count, t.priorities[alarms.highest]) : t.bellQuiet;
  $("bell").className = count ? `waiting ${alarms.highest}` : "";
  $("bell").title = alarms.flood ? `${words} ${t.bellFlood}` : words;
  const sign = count ? mark(alarms.highest) : element("span", "", "✓");
  sign.setAttribute("aria-hidden", "true");
  $("bell").replaceChildren(sign, element("b", "", t.bellCount(count)), element("span", "said", ` ${$("bell").title}`));
  if (before !== null && count > before) chime();
  // each one would drown what else is read out
  if (before === null || !count !== !before) put($("bell-said"), words);
  before = count;
}
