// The alarms that are kept quiet: by a person for a time, by design, or out of service.

import { element } from "../dom.js";
import { age } from "../format.js";
import { here, moment, now } from "../shell.js";
import { Table } from "../table.js";
import { isQuiet } from "./frame.js";
import { about, link, priority, rank, refill, service, state, text, title, unshelve } from "./rows.js";

export class Quiet {
  constructor(frame) {
    const { t } = here;
    const columns = [
      { key: rank, title: t.priority, show: priority },
      { key: (alarm) => t.alarmStates[alarm.state], title: t.alarmState, show: state },
      { key: (alarm) => (alarm.active ? t.active : t.gone), title: t.underneath },
      { key: about, title: t.machineOf, show: link },
      { key: title, title: t.alarm, show: text },
      { key: "until", title: t.until, kind: "time", show: until },
      { key: (alarm) => alarm.suppressed || alarm.note, title: t.reason },
      { key: "person", title: t.who },
      { key: () => null, title: t.deeds, aside: true, show: (alarm) => element("div", "deeds", deed(alarm, frame)) },
    ];
    this.table = new Table({ name: t.tabs.quiet, empty: t.noneQuiet, columns });
    this.element = element("div", "", element("p", "quiet", t.quietWords), this.table.element);
  }

  show({ alarms }) {
    refill(this.element, () => this.table.fill(alarms.filter(isQuiet)));
  }
}

function until(alarm) {
  const { t } = here;
  if (!alarm.until) return "–";
  const left = (Date.parse(alarm.until) - now()) / 1000;
  return element("span", "", moment(alarm.until), element("small", "quiet", t.left(age(left, t.units))));
}

function deed(alarm, frame) {
  if (alarm.state === "shelved") return unshelve(alarm, frame);
  return alarm.state === "out_of_service" ? service(alarm, frame, false) : "";
}
