// What the history has taken in.

import { $ } from "../dom.js";
import { number } from "../format.js";
import { here } from "../shell.js";

const OVER = 10000; // ms over which the rate is told

export class Stored {
  constructor() {
    this.stored = [];
  }

  take(changed) {
    if (changed("history")) this.keep(changed("history"));
  }

  keep(history) {
    const { t } = here;
    this.stored.push([performance.now(), history.stored]);
    this.stored = this.stored.filter(([time]) => performance.now() - time < OVER);
    const [first, last] = [this.stored[0], this.stored.at(-1)];
    const seconds = (last[0] - first[0]) / 1000;
    $("stored").textContent = `${number(last[1], t.locale)} ${t.items}`;
    const rate = seconds > 1 ? (last[1] - first[1]) / seconds : null;
    $("rate").textContent = rate === null ? "–" : `${number(rate, t.locale)} ${t.perSecond}`;
  }
}
