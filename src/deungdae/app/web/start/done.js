// The machine is connected: its values as they come.

import { $, put } from "../dom.js";
import { number } from "../format.js";
import { say } from "../said.js";
import { here, known, nameOf, unitOf, watch } from "../shell.js";
import { Table } from "../table.js";

export class Done {
  constructor(run, go) {
    Object.assign(this, { run, go });
    $("done-more").addEventListener("click", () => this.more());
  }

  build() {
    const { t } = here;
    const { ids, machine } = this.run.written;
    watch(ids);
    put($("done-title"), t.doneTitle(machine.title || machine.name));
    this.table = new Table({
      name: machine.name,
      label: t.pickedTitle,
      columns: [
        { key: (id) => (known.signals.has(id) ? nameOf(id) : id), title: t.fieldName },
        { key: (id) => id, title: t.fieldId },
        { key: (id) => this.value(id), title: t.fieldValue },
      ],
    });
    $("done-values").replaceChildren(this.table.element);
    this.told = "";
    this.tick();
  }

  tick() {
    const { t } = here;
    const { ids, machine } = this.run.written;
    const come = ids.filter((id) => this.value(id) !== null).length;
    const door = known.machines.find((each) => each.name === machine.name);
    const words = door?.problem ? `${say(door.problem)} — ${say(door.remedy)}` : t.valuesCome(come, ids.length);
    put($("done-told"), words);
    const told = ids.map((id) => this.value(id)).join("|");
    if (told === this.told) return;
    this.told = told;
    this.table.fill(ids);
  }

  value(id) {
    const { t } = here;
    const reading = known.readings.get(id);
    const event = known.events.get(id);
    if (reading && (reading[2] & 3) < 2) return `${number(reading[0], t.locale)} ${unitOf(known.signals.get(id)?.unit ?? "1")}`.trim();
    return event && (event[2] & 3) < 2 ? event[0] : null;
  }

  more() {
    Object.assign(this.run, { machine: null, nodes: null, picked: [], draft: null });
    this.go("find");
  }
}
