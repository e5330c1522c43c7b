// A plant of very many machines: a small tile for each, by what contains them, with a search.

import { machines } from "../assets.js";
import { $, element, put } from "../dom.js";
import { age } from "../format.js";
import { assetName, here, now } from "../shell.js";
import { lookOf } from "../stations.js";
import { MANY, placeOf } from "./places.js";

const KINDS = ["run", "idle", "hold", "down", "none", "off"];

export class Tiles {
  constructor(why) {
    this.why = why;
    this.tiles = new Map();
  }

  build() {
    this.tiles.clear();
    $("dense").hidden = machines().length <= MANY;
    if ($("dense").hidden) return;
    const groups = [...Map.groupBy(machines(), (asset) => asset.parent)].map(([parent, assets]) => this.group(parent, assets));
    $("dense-groups").replaceChildren(...groups);
    this.choices();
    $("dense-find").oninput = $("dense-kind").onchange = () => this.tick();
    this.tick();
  }

  choices() {
    const { t } = here;
    const words = { run: t.running, idle: t.idle, hold: t.heldState, down: t.down, none: t.noData, off: t.states.off };
    const option = (value, text) => Object.assign(element("option", "", text), { value });
    const before = $("dense-kind").value;
    $("dense-kind").replaceChildren(option("", t.everything), option("stands", t.whatStands), ...KINDS.map((kind) => option(kind, words[kind])));
    $("dense-kind").value = before;
  }

  group(parent, assets) {
    const tiles = element("ul", "dense", ...assets.map((asset) => this.tile(asset)));
    return element("section", "", element("h3", "", parent ? assetName(parent) : here.t.others), tiles);
  }

  tile(asset) {
    const name = asset.name || asset.id;
    const link = element("a", "", element("strong", "", name), element("span", "word"), element("small"));
    link.href = placeOf(asset.id);
    link.title = name;
    link.dataset.dense = asset.id;
    const place = element("li", "", link);
    this.tiles.set(asset.id, { place, link, search: `${name} ${asset.id}`.toLowerCase() });
    return place;
  }

  tick() {
    if (!this.tiles.size) return;
    const wanted = $("dense-find").value.trim().toLowerCase();
    const kind = $("dense-kind").value;
    let shown = 0;
    for (const [asset, { place, link, search }] of this.tiles) {
      const seen = lookOf(asset);
      tell(link, seen);
      place.hidden = !search.includes(wanted) || (kind === "stands" ? ["run", "other", "off"].includes(seen.kind) : kind && seen.kind !== kind);
      shown += !place.hidden;
    }
    for (const group of $("dense-groups").children) group.hidden = ![...group.querySelectorAll("li")].some((place) => !place.hidden);
    put($("dense-note"), here.t.ofMany(shown, this.tiles.size));
  }
}

function tell(link, { kind, mark, label, since }) {
  link.className = `tile-link ${kind}`;
  const [, word, length] = link.children;
  put(word, `${mark} ${label}`);
  put(length, since === null ? "" : age((now() - since) / 1000, here.t.units));
}
