// How each door is doing.

import { $, element } from "../dom.js";
import { here, known } from "../shell.js";

const MARKS = { online: "✓", degraded: "!", connecting: "…", offline: "✕", stopped: "■" };

export class Doors {
  take(changed) {
    if (changed("machines")) this.build();
  }

  build() {
    $("doors").replaceChildren(element("ul", "", ...known.machines.map((each) => element("li", each.state, ...door(each)))));
  }
}

function door(each) {
  return [
    element("span", "mark", MARKS[each.state] ?? "?"),
    element("span", "", `${each.room}.${each.name}`),
    element("span", "quiet", each.type),
    element("span", "push"),
    element("span", "", here.t.doorStates[each.state] ?? each.state),
  ];
}
