// One row for each machine: how good it was, and its parts against plan.

import { $, button, element } from "../dom.js";
import { say } from "../said.js";
import { Table } from "../table.js";
import { assetName, here } from "../shell.js";
import { many, share } from "./say.js";

export class Machines {
  constructor(choose) {
    this.choose = choose;
  }

  build() {
    const { t } = here;
    const of = (name) => ({ key: (row) => row.indicators[name]?.value ?? null, title: t.kpi[name], kind: "number", unit: "%", show: (row) => rated(row, name) });
    this.table = new Table({
      name: t.machinesTitle,
      columns: [
        { key: (row) => assetName(row.asset), title: t.stop.asset, show: (row) => button("link", assetName(row.asset), () => this.choose(row.asset)) },
        of("oee"),
        of("availability"),
        { key: (row) => row.counts.good, title: t.good, kind: "number", show: (row) => many(row.counts.good) },
        { key: (row) => row.counts.scrap, title: t.scrap, kind: "number", show: (row) => many(row.counts.scrap) },
        { key: (row) => row.counts.due, title: t.goal, kind: "number", show: (row) => many(row.counts.due) },
        { key: unknown, title: t.unknownShare, kind: "number", unit: "%", show: (row) => (unknown(row) ? element("span", "hatched", share(unknown(row))) : "–") },
      ],
    });
    $("machines-table").replaceChildren(this.table.element);
  }

  show({ told }) {
    $("machines").hidden = told.machines.length < 2;
    this.table.fill(told.machines);
  }
}

function rated(row, name) {
  const found = row.indicators[name];
  if (found?.value === null || !found) {
    const none = element("span", "quiet", "–");
    none.title = say(found?.reason ?? "");
    return none;
  }
  return share(found.value);
}

function unknown(row) {
  return row.planned ? (100 * row.unknown) / row.planned : null;
}
