// The sentence that says how the plant stands, and the list of what stands, the longest first.

import { machines } from "../assets.js";
import { $, element, put } from "../dom.js";
import { age } from "../format.js";
import { here, now } from "../shell.js";
import { lookOf, summary } from "../stations.js";
import { placeOf } from "./places.js";

const SHOWN = 6; // rows; more are shown when asked for
const ORDER = ["down", "hold", "idle"]; // of kinds, the worst first
const LINKS = { unknown: ["giveReason", "/shift"], alarm: ["toAlarms", "/alarms"], door: ["toConnections", "/connections"] };

export class Glance {
  constructor(why) {
    this.why = why;
    this.rows = new Map();
    this.all = false;
  }

  build() {
    this.rows.clear();
    $("standing").replaceChildren();
    $("standing-all").onclick = () => {
      this.all = !this.all;
      this.tick();
    };
    this.tick();
  }

  tick() {
    const standing = this.why.standing();
    put($("glance-words"), sentence(standing));
    $("glance-start").hidden = machines().length > 0;
    const chips = summary(machines().map((each) => each.id));
    const said = chips.map((chip) => chip.textContent).join("|");
    if ($("glance-chips").dataset.said !== said) $("glance-chips").replaceChildren(...chips);
    $("glance-chips").dataset.said = said;
    this.list(standing);
  }

  list(standing) {
    const shown = this.all ? standing : standing.slice(0, SHOWN);
    const kept = new Set(shown.map((stop) => stop.asset));
    for (const [asset, row] of this.rows) {
      if (kept.has(asset)) continue;
      row.remove();
      this.rows.delete(asset);
    }
    shown.forEach((stop, n) => {
      if (!this.rows.has(stop.asset)) this.rows.set(stop.asset, made(stop));
      const row = this.rows.get(stop.asset);
      if ($("standing").children[n] !== row) $("standing").insertBefore(row, $("standing").children[n] ?? null);
      tell(row, stop);
    });
    const button = $("standing-all");
    button.hidden = standing.length <= SHOWN;
    put(button, this.all ? here.t.fewer : here.t.allStanding(standing.length));
  }
}

function sentence(standing) {
  const { t } = here;
  const all = machines();
  if (!all.length) return t.noMachines;
  const looks = all.map((each) => lookOf(each.id));
  const running = looks.filter((shown) => shown.kind === "run").length;
  if (!standing.length) return looks.every((shown) => shown.kind === "other") ? t.noStates : running === all.length ? t.allRun(running) : t.someRun(running);
  const silent = standing.filter((stop) => stop.look.kind === "none");
  const stand = standing.filter((stop) => stop.look.kind !== "none"); // of the others nobody knows it
  const told = [t.someRun(running)];
  if (stand.length) told.push(spoken(stand), stand.length > 1 ? t.andMore(stand.length - 1) : "");
  if (silent.length === 1 && !stand.length) told.push(spoken(silent));
  else if (silent.length) told.push(t.silent(silent.length));
  return told.filter(Boolean).join(" · ");
}

// the worst of what stands, with its cause
function spoken(stops) {
  const [worst] = [...stops].sort((a, b) => ORDER.indexOf(a.look.kind) - ORDER.indexOf(b.look.kind));
  const what = [worst.name, worst.look.label, lasting(worst)].filter(Boolean).join(" ");
  return ["unknown", "asking"].includes(worst.cause.kind) ? what : `${what} — ${worst.cause.short ?? worst.cause.text}`;
}

function lasting({ start }) {
  return start === null ? "" : here.t.lasting(age((now() - start) / 1000, here.t.units).replaceAll(" ", "\u00a0"));
}

function made({ asset }) {
  const name = element("a", "name");
  name.href = placeOf(asset);
  const act = element("a", "act");
  const row = element("li", "", element("span", "chip"), name, element("span", "lasting"), element("span", "cause"), act);
  row.dataset.stands = asset;
  return row;
}

function tell(row, stop) {
  const [chip, name, length, cause, act] = row.children;
  chip.className = `chip ${stop.look.kind}`;
  put(chip, `${stop.look.mark} ${stop.look.label}`);
  put(name, stop.name);
  put(length, lasting(stop));
  cause.dataset.kind = stop.cause.kind;
  put(cause, stop.cause.text);
  const [word, place] = LINKS[stop.cause.kind] ?? [];
  act.hidden = !word;
  if (!word) return;
  put(act, here.t[word]);
  act.setAttribute("aria-label", `${stop.name}: ${here.t[word]}`);
  const target = `${place}?asset=${encodeURIComponent(stop.asset)}`;
  if (act.getAttribute("href") !== target) act.href = target;
}
