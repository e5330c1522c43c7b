// First run: find a machine, name it, pick its signals, look over what is written, see it live.

import { $, element } from "../dom.js";
import { here, may } from "../shell.js";
import { Done } from "./done.js";
import { Find } from "./find.js";
import { Name } from "./name.js";
import { Pick } from "./pick.js";
import { Review } from "./review.js";

const STEPS = ["find", "name", "pick", "review", "done"];

// what is known so far; kept while other pages are open
const run = { step: "find", search: null, machine: null, nodes: null, picked: [], draft: null };

export default () => [new Start()];

class Start {
  constructor() {
    const go = (step) => this.go(step);
    this.parts = { find: new Find(run, go), name: new Name(run, go), pick: new Pick(run, go), review: new Review(run, go), done: new Done(run, go) };
  }

  build() {
    $("start-none").hidden = may("engineer");
    this.show();
  }

  take(changed) {
    if (changed("session")) this.build();
  }

  tick() {
    this.parts[run.step].tick?.();
  }

  leave() {
    for (const part of Object.values(this.parts)) part.leave?.();
  }

  go(step) {
    run.step = step;
    this.show();
    const title = $(`start-${step}`).querySelector("h2");
    title.tabIndex = -1;
    title.focus();
    scrollTo(0, 0);
  }

  show() {
    const { t } = here;
    const at = STEPS.indexOf(run.step);
    const steps = STEPS.map((step, n) => {
      const made = element("li", n < at ? "past" : "", element("span", "dot", n < at ? "✓" : String(n + 1)), ` ${t.steps[step]}`);
      if (n === at) made.setAttribute("aria-current", "step");
      return made;
    });
    $("start-steps").replaceChildren(...steps);
    for (const step of STEPS) $(`start-${step}`).hidden = step !== run.step || !may("engineer");
    if (may("engineer")) this.parts[run.step].build();
  }
}

