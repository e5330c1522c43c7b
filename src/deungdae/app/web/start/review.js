// What exactly is written, and the writing.

import { difference } from "../difference.js";
import { $, element, put } from "../dom.js";
import { here, send } from "../shell.js";
import { asked } from "./name.js";
import { tell } from "./told.js";

export class Review {
  constructor(run, go) {
    Object.assign(this, { run, go });
    $("review-back").addEventListener("click", () => this.go("pick"));
    $("review-go").addEventListener("click", () => this.write());
  }

  build() {
    const { before, after } = this.run.draft;
    const parts = Object.keys(after).flatMap((name) => [element("h3", "", name), difference(before[name], after[name])]);
    $("review-parts").replaceChildren(...parts);
    tell($("review-error"), null);
    $("review-go").disabled = false;
  }

  async write() {
    const { draft } = this.run;
    $("review-go").disabled = true;
    try {
      await send("files", { files: draft.after, versions: draft.versions }, "PUT");
    } catch (problem) {
      $("review-go").disabled = false;
      if (problem.told?.rule !== "conflict") return tell($("review-error"), problem);
      this.go("pick"); // there it is drafted anew, from what the files say now
      return put($("pick-count"), here.t.changedMeanwhile);
    }
    this.run.written = { ids: this.run.picked.map((each) => each.id), machine: asked(this.run.machine) };
    this.run.search?.found.forEach((each) => {
      if (each.url === this.run.machine.url) each.machine = this.run.machine.name;
    });
    this.go("done");
  }
}
