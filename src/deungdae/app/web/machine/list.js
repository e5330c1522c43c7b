// All machines, to choose one: also of very many, by a word of its name.

import { machines } from "../assets.js";
import { $, element, put } from "../dom.js";
import { age } from "../format.js";
import { here, known, now } from "../shell.js";
import { look, stateOf } from "../states.js";

const SHOWN = 120; // of very many the search finds the others

export class List {
  constructor() {
    $("machine-list").hidden = false;
    $("machine-search").addEventListener("input", () => this.build());
  }

  build() {
    const word = $("machine-search").value.trim().toLowerCase();
    const found = machines().filter((asset) => `${asset.id} ${asset.name}`.toLowerCase().includes(word));
    $("machine-tiles").replaceChildren(...found.slice(0, SHOWN).map((asset) => this.tile(asset)));
    const rest = found.length - SHOWN;
    put($("machine-none"), rest > 0 ? here.t.moreMachines(rest) : found.length ? "" : here.t.noMachine);
    this.tick();
  }

  tile(asset) {
    const link = element("a", "machine-tile", element("strong", "", asset.name || asset.id), element("p", "state"), element("span", "quiet", asset.name ? asset.id : ""));
    link.href = `/machine/${encodeURIComponent(asset.id)}`;
    link.dataset.state = stateOf(asset.id)?.id ?? "";
    return element("li", "", link);
  }

  tick() {
    for (const tile of $("machine-tiles").querySelectorAll("a")) showState(tile.querySelector(".state"), tile.dataset.state);
  }
}

// a chip of the state that a signal tells; id '' where the machine tells none
export function showState(chip, id) {
  const { t } = here;
  if (!id) {
    chip.className = "state other";
    put(chip, t.noState);
    return;
  }
  const { kind, mark, label, since } = look(known.events.get(id));
  const detail = since === null ? "" : t.since(age((now() - since) / 1000, t.units));
  const key = `${kind}|${label}|${detail}`;
  if (chip.dataset.key === key) return;
  chip.dataset.key = key;
  chip.className = `state ${kind}`;
  chip.replaceChildren(element("strong", "", `${mark} ${label}`), element("small", "", detail));
}
