// The dialog in which a person says what a tile shows.

import { button, element } from "../dom.js";
import { assetName, assetOf, here, known, nameOf } from "../shell.js";
import { machines } from "../assets.js";
import { KINDS, needs } from "./tiles.js";

const FOUND = 60; // signals that a search shows at once
const SPANS = [900, 3600, 8 * 3600, 86400, 7 * 86400, 30 * 86400];

// before: the tile as it is, or undefined for a new one; gives the tile, or null
export function describe(before) {
  const { t } = here;
  const tile = { kind: "value", title: "", asset: "", signals: [], span: 3600, text: "", size: "medium", ...before };
  const box = element("dialog", "tile-dialog");
  const fields = element("div");
  const yes = element("button", "main", t.apply);
  const no = button("", t.cancel, () => box.close());
  const kind = choice(KINDS.map((each) => [each, t.kinds[each]]), tile.kind, (chosen) => {
    tile.kind = chosen;
    draw();
  });
  const title = element("input");
  Object.assign(title, { value: tile.title, maxLength: 100, placeholder: t.titleByItself });
  const form = element("form", "", element("h2", "", before ? t.change : t.addTile), labelled(t.kindOfTile, kind), fields, labelled(t.titleOfTile, title), element("menu", "", no, yes));
  box.append(form);
  document.body.append(box);

  function draw() {
    const wanted = needs(tile.kind);
    const parts = [];
    if (wanted.asset) parts.push(labelled(t.machine, choice(machines().map(({ id }) => [id, assetName(id)]), tile.asset, (id) => (tile.asset = id))));
    if (wanted.signals) parts.push(signals(tile, wanted.signals));
    if (wanted.span) parts.push(labelled(t.reach, choice(SPANS.map((span) => [String(span), t.spans(span)]), String(tile.span), (span) => (tile.span = Number(span)))));
    if (wanted.text) parts.push(labelled(t.text, text(tile)));
    if (wanted.asset && !tile.asset) tile.asset = machines()[0]?.id ?? "";
    fields.replaceChildren(...parts);
  }

  return new Promise((done) => {
    let given = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      given = { ...tile, title: title.value.trim() };
      box.close();
    });
    box.addEventListener("close", () => {
      box.remove();
      done(given);
    });
    draw();
    box.showModal();
  });
}

function labelled(words, input) {
  return element("label", "", words, input);
}

function choice(entries, chosen, act) {
  const made = element("select", "", ...entries.map(([value, words]) => Object.assign(element("option", "", words), { value, selected: value === chosen })));
  made.addEventListener("change", () => act(made.value));
  return made;
}

function text(tile) {
  const made = element("textarea");
  Object.assign(made, { value: tile.text, maxLength: 2000, rows: 4 });
  made.addEventListener("input", () => (tile.text = made.value));
  return made;
}

// a search among the signals: there may be ten thousand
function signals(tile, most) {
  const { t } = here;
  const search = element("input");
  Object.assign(search, { type: "search", placeholder: t.searchSignal });
  search.setAttribute("aria-label", t.searchSignal);
  const found = element("div", "found");
  const words = (id) => `${assetName(assetOf(id))} · ${nameOf(id)}`;
  const draw = () => {
    const asked = search.value.trim().toLowerCase();
    const all = [...known.signals.values()].filter((signal) => signal.kind === "number" && !tile.signals.includes(signal.id));
    const fitting = all.filter((signal) => !asked || `${signal.id} ${words(signal.id)}`.toLowerCase().includes(asked));
    const box = (id, on) => {
      const tick = element("input");
      Object.assign(tick, { type: most === 1 ? "radio" : "checkbox", name: "signal", checked: on });
      tick.addEventListener("change", () => {
        if (most === 1) tile.signals = [id];
        else tile.signals = on ? tile.signals.filter((each) => each !== id) : [...tile.signals, id].slice(0, most);
        draw();
      });
      return element("label", "tick", tick, words(id));
    };
    found.replaceChildren(...tile.signals.map((id) => box(id, true)), ...fitting.slice(0, FOUND).map((signal) => box(signal.id, false)));
    if (fitting.length > FOUND) found.append(element("p", "quiet", t.moreFound(fitting.length - FOUND)));
  };
  search.addEventListener("input", draw);
  draw();
  return element("fieldset", "", element("legend", "", t.signals(most)), search, found);
}
