// The dashboards that there are.

import { $, button, element } from "../dom.js";
import { get, go, here, may, send } from "../shell.js";

export class List {
  async build() {
    const { t } = here;
    $("dash-title").textContent = t.titles.dashboard;
    const make = button("main", t.newDashboard, () => this.make());
    make.disabled = true; // until it is known which names are taken
    make.title = may("operator") ? "" : t.needsOperator;
    $("dash-tools").replaceChildren(make);
    $("dash-list").hidden = false;
    try {
      this.known = await get("dashboards");
    } catch (problem) {
      $("dash-error").textContent = problem.message;
      return;
    }
    make.disabled = !may("operator");
    const items = this.known.map(({ name, title, person, tiles }) => {
      const link = element("a", "", title);
      link.href = `/dashboard/${encodeURIComponent(name)}`;
      return element("li", "", link, element("span", "quiet", [t.tiles(tiles), person].filter(Boolean).join(" · ")));
    });
    $("dash-list").replaceChildren(items.length ? element("ul", "", ...items) : element("p", "quiet", t.noDashboards));
  }

  // a new one begins with what everybody wants to see
  async make() {
    const { t } = here;
    const names = new Set(this.known.map((each) => each.name));
    const name = [...Array(1000).keys()].map((n) => `screen-${n + 1}`).find((each) => !names.has(each));
    const tiles = [{ kind: "line", size: "wide" }, { kind: "stopped", size: "large" }, { kind: "alarms", size: "large" }];
    try {
      await send(`dashboards/${name}`, { title: t.newTitle, tiles, version: "" }, "PUT");
      go(`/dashboard/${name}?edit`);
    } catch (problem) {
      $("dash-error").textContent = problem.message;
    }
  }
}
