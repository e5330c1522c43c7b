// What the data know of a machine's maintenance: since the last one, and from failure to failure.

import { $, element } from "../dom.js";
import { age, number, percent } from "../format.js";
import { get, here, moment, now } from "../shell.js";
import { look } from "../states.js";

const AGAIN = 600000; // ms between two looks

export class Care {
  constructor(asset) {
    this.asset = asset;
    this.asked = -Infinity;
  }

  async build() {
    $("machine-care").hidden = false;
    if (this.answer) this.show();
    else $("care-rows").replaceChildren(element("p", "quiet", here.t.loading));
    await this.ask();
  }

  tick() {
    if (performance.now() - this.asked > AGAIN) this.ask();
  }

  leave() {
    this.left = true;
  }

  async ask() {
    this.asked = performance.now();
    this.problem = "";
    try {
      this.answer = await get(`assets/${encodeURIComponent(this.asset)}/care`);
    } catch (problem) {
      this.answer = null;
      this.problem = problem.status === 404 ? here.t.careNone : problem instanceof TypeError ? here.t.failed : problem.message;
    }
    if (!this.left) this.show();
  }

  show() {
    const { t } = here;
    const { answer } = this;
    if (!answer) {
      $("care-rows").replaceChildren(element("p", "quiet", this.problem));
      return;
    }
    const told = (seconds) => (seconds === null ? "–" : age(seconds, t.units));
    const facts = [
      [t.careLast, answer.maintained ? `${moment(answer.maintained)} · ${t.ago(age((now() - Date.parse(answer.maintained)) / 1000, t.units))}` : t.careNever],
      [t.runSince, told(answer.running)],
      ...(answer.made === null ? [] : [[t.countSince, `${number(answer.made, t.locale)} ${t.items}`.trim()]]),
      [t.failuresOf(answer.days), t.times(answer.count)],
      ...(answer.count ? [[t.betweenFailures, told(answer.between)], [t.toRepair, told(answer.restoring)]] : []),
    ];
    const failures = answer.failures.toReversed().map((failure) => {
      const { mark, label } = look([failure.state, null, 0]);
      return element("li", "", element("span", "", `${mark} ${label}`), element("span", "", moment(failure.start)), element("strong", "", age((Date.parse(failure.end) - Date.parse(failure.start)) / 1000, t.units)));
    });
    $("care-rows").replaceChildren(
      element("dl", "facts", ...facts.flatMap(([name, words]) => [element("dt", "", name), element("dd", "", words)])),
      element("h3", "", t.lastFailures),
      failures.length ? element("ol", "failures", ...failures) : element("p", "quiet", t.noFailures),
      element("p", "quiet", `${t.careFrom(moment(answer.from))} ${t.known(percent(100 * answer.known, t.locale))}`),
    );
  }
}
