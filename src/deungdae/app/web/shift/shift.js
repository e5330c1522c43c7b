// The account of a period, asked once for all its pictures, and asked again while it runs.

import { $, button, element } from "../dom.js";
import { Period } from "../period.js";
import { save } from "../table.js";
import { assetName, get, here, isKorean, now } from "../shell.js";
import { Causes } from "./causes.js";
import { Course } from "./course.js";
import { Fall } from "./fall.js";
import { Machines } from "./machines.js";
import { Notes } from "./notes.js";
import { Plan } from "./plan.js";
import { Soon } from "./soon.js";
import { Stops } from "./stops.js";
import { tile } from "./tile.js";

const DAY = 86400000;
const CARDS = ["fall", "plan", "standing", "causes", "course", "machines"];
const AGAIN = 30000; // ms between two looks at what still runs
const CHOICES = ["shift", "before", "today", "yesterday", "week", "own"];

export class Shift {
  constructor() {
    this.told = null;
    this.asking = 0;
    this.asked = 0;
    this.notes = new Notes();
    this.soon = new Soon(() => this.ask());
    this.stops = new Stops(() => this.ask());
    this.parts = [new Fall(), new Plan(), this.stops, new Causes(), new Course((asset) => this.choose(asset)), new Machines((asset) => this.choose(asset))];
  }

  async build() {
    const { t } = here;
    const before = this.period;
    this.period = new Period(() => this.ask(), CHOICES);
    if (before) Object.assign(this.period, { chosen: before.chosen, from: before.from, to: before.to });
    const steps = element("div", "picks", button("", `‹ ${t.earlier}`, () => this.step(-1)), button("", `${t.later} ›`, () => this.step(1)));
    this.pick = element("select");
    this.pick.setAttribute("aria-label", t.chooseMachine);
    this.pick.addEventListener("change", () => this.choose(this.pick.value));
    $("shift-bar").replaceChildren(this.period.element, steps, this.pick);
    $("papers").replaceChildren(button("", t.shiftReport, (event) => this.paper(event, "shift")), " ", button("", t.weekReport, (event) => this.paper(event, "week")));
    for (const part of this.parts) part.build?.();
    this.notes.build();
    if (!this.told) this.hide(t.loading);
    await this.period.start();
  }

  take(changed) {
    this.notes.take(changed);
    const events = changed("events");
    if (events && Object.keys(events).some((id) => id.endsWith(".reason"))) this.soon.ask();
    if (changed("session") && this.told) this.draw();
  }

  tick() {
    if (this.period?.live && performance.now() - this.asked > AGAIN) {
      this.asked = performance.now();
      this.period.settle(this.period.chosen).catch(() => {});
    }
  }

  leave() {
    this.asking++;
    this.soon.stop();
    this.notes.leave();
  }

  get asset() {
    return new URLSearchParams(location.search).get("asset") ?? "";
  }

  choose(asset) {
    const asked = new URLSearchParams(location.search);
    if (asset) asked.set("asset", asset);
    else asked.delete("asset");
    history.replaceState(null, "", asked.size ? `${location.pathname}?${asked}` : location.pathname);
    this.draw();
  }

  async step(way) {
    const [from, until] = [Date.parse(this.period.from), Date.parse(this.told?.until ?? this.period.to)];
    const near = [from - 4 * DAY, until + 4 * DAY].map((ms) => new Date(ms).toISOString());
    const shifts = await get(`shifts?from=${near[0]}&to=${near[1]}`).catch(() => []);
    const found = way < 0 ? shifts.filter((each) => Date.parse(each.end) <= from).at(-1) : shifts.find((each) => Date.parse(each.start) >= until);
    if (!found || Date.parse(found.start) >= now()) return;
    if (Date.parse(found.end) > now()) {
      await this.period.settle("shift");
      return;
    }
    [this.period.from, this.period.to] = [new Date(found.start).toISOString(), new Date(found.end).toISOString()];
    await this.period.settle("own");
  }

  async ask() {
    const turn = ++this.asking;
    this.asked = performance.now();
    const { from, to } = this.period;
    let problem = "";
    try {
      const told = await get(`shifts/account?from=${from}&to=${to}`);
      if (turn !== this.asking) return;
      this.told = told;
    } catch (error) {
      if (turn !== this.asking) return;
      problem = error.message;
      this.told = null;
    }
    $("good-problem").hidden = !problem;
    $("good-problem").textContent = problem;
    if (this.told) this.draw();
    else this.hide("");
  }

  // shows nothing but a word where there is no account, or not yet
  hide(words) {
    for (const id of CARDS) $(id).hidden = true;
    $("good-tiles").hidden = true;
    this.pick.hidden = true;
    $("good-label").textContent = this.period.from ? this.period.words : "";
    $("good-summary").textContent = words;
  }

  draw() {
    const { t } = here;
    const { told } = this;
    for (const id of CARDS) $(id).hidden = false;
    $("good-tiles").hidden = false;
    const chosen = told.machines.find((each) => each.asset === this.asset);
    this.pick.replaceChildren(option("", t.whole), ...told.machines.map((each) => option(each.asset, assetName(each.asset))));
    this.pick.value = chosen?.asset ?? "";
    this.pick.hidden = told.machines.length < 2;
    const whole = chosen ?? told.whole ?? told.machines[0];
    const shown = chosen ? [chosen] : told.machines;
    const name = told.label[isKorean() ? "ko" : "en"];
    $("good-label").textContent = chosen ? `${name} · ${assetName(chosen.asset)}` : name;
    const running = Date.parse(told.until) > Date.parse(told.end);
    const summary = (chosen ?? told).summary[isKorean() ? "ko" : "en"];
    $("good-summary").textContent = running ? `${summary} ${t.soFar}` : summary;
    const tiles = ["oee", "availability", "effectiveness", "quality_ratio"].filter((key) => whole.indicators[key]);
    $("good-tiles").replaceChildren(...tiles.map((key) => tile(key, whole.indicators[key])));
    for (const part of this.parts) part.show({ told, whole, shown, running });
  }

  async paper(event, kind) {
    const made = event.currentTarget;
    made.disabled = true;
    const { from, to } = this.period;
    const end = Date.parse(to) > now() - 60000 ? "" : `&to=${to}`;
    const about = kind === "shift" ? `from=${from}${end}` : `to=${to}`;
    try {
      await save(`reports/${kind}?${about}&language=${isKorean() ? "ko" : "en"}`, `${kind}-${from.slice(0, 10)}.pdf`);
    } catch (error) {
      $("good-problem").hidden = false;
      $("good-problem").textContent = error.message;
    }
    made.disabled = false;
  }
}

function option(value, words) {
  const made = element("option", "", words);
  made.value = value;
  return made;
}
