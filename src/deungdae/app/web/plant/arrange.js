// Lets an engineer say where machines stand on the plan: by dragging, or by the arrow keys.

import { $, put } from "../dom.js";
import { get, here, known, may, send } from "../shell.js";

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAR = 5; // units that a machine goes with Shift
const MOST = 10_000; // units of the plan

export class Arrange {
  constructor(plan) {
    this.plan = plan;
    this.positions = null; // while it is being arranged
    this.version = "";
  }

  get isOn() {
    return this.positions !== null;
  }

  build() {
    $("arrange").hidden = this.isOn || !may("engineer");
    $("arranging").hidden = !this.isOn;
    $("arrange").onclick = () => this.begin();
    $("arrange-no").onclick = () => this.end(known.layout);
    $("arrange-yes").onclick = () => this.save();
    $("arrange-auto").onclick = () => this.automatic();
    put($("arrange-yes"), here.t.arrangeSave);
    if (this.isOn) this.say(here.t.arrangeHow);
  }

  async begin() {
    const version = await this.read();
    if (version === null) return;
    this.version = version;
    this.positions = this.plan.positions();
    this.plan.arranged = this.positions;
    this.plan.letMove({ begin: (event, station) => this.drag(event, station), key: (event, station) => this.key(event, station), words: (station) => this.words(station) });
    this.build();
    this.plan.svg.querySelector("[data-station]")?.focus();
  }

  // returns of which version of the factory file the layout is, or null
  async read() {
    try {
      return (await get("layout")).version;
    } catch (problem) {
      this.say(problem instanceof TypeError ? here.t.failed : problem.message);
      return null;
    }
  }

  end(layout, said = "") {
    this.positions = null;
    this.plan.arranged = layout;
    this.plan.letMove(null);
    this.build();
    this.say(said);
    $("arrange").focus();
  }

  automatic() {
    this.plan.arranged = {};
    this.plan.draw();
    this.positions = {};
    this.say(here.t.arrangeAutoDone);
  }

  async save() {
    const button = $("arrange-yes");
    button.disabled = true;
    try {
      const told = await send("layout", { positions: this.positions, version: this.version }, "PUT");
      known.layout = told.positions;
      this.end(told.positions, here.t.arrangeDone);
    } catch (problem) {
      if (problem.status === 409) await this.conflict();
      else this.say(problem instanceof TypeError ? here.t.failed : problem.message);
    } finally {
      button.disabled = false;
    }
  }

  // somebody else changed the factory file meanwhile: the next save is told to be meant
  async conflict() {
    const version = await this.read();
    if (version === null) return;
    this.version = version;
    this.say(here.t.arrangeConflict);
    put($("arrange-yes"), here.t.arrangeAnyway);
  }

  move(station, x, y) {
    if (!Object.keys(this.positions).length) this.positions = this.plan.positions(); // after the automatic layout
    const within = (value) => Math.min(MOST, Math.max(0, Math.round(value)));
    const [fromX, fromY] = this.positions[station.asset];
    const to = [within(x), within(y)];
    if (to[0] === fromX && to[1] === fromY) return;
    this.positions = { ...this.positions, [station.asset]: to };
    this.plan.arranged = this.positions;
    this.plan.draw();
    this.say(here.t.arrangeAt(station.title, ...to));
  }

  at(station) {
    return this.positions[station.asset] ?? this.plan.positions()[station.asset];
  }

  key(event, station) {
    const way = WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    const step = event.shiftKey ? FAR : 1;
    const [x, y] = this.at(station);
    this.move(station, x + way[0] * step, y + way[1] * step);
  }

  drag(event, station) {
    if (event.button) return;
    event.preventDefault();
    const { svg, scale } = this.plan;
    const [x, y] = this.at(station);
    svg.setPointerCapture(event.pointerId);
    const follow = (now) => this.move(station, x + (now.clientX - event.clientX) / scale, y + (now.clientY - event.clientY) / scale);
    const stop = () => {
      for (const name of ["pointerup", "pointercancel"]) svg.removeEventListener(name, stop);
      svg.removeEventListener("pointermove", follow);
      svg.querySelector(`[data-station="${CSS.escape(station.name)}"]`)?.focus();
    };
    svg.addEventListener("pointermove", follow);
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, stop);
  }

  words(station) {
    const [x, y] = this.at(station);
    return { kind: here.t.movable, label: here.t.arrangeAt(station.title, x, y) };
  }

  say(words) {
    put($("arrange-note"), words);
  }

  leave() {
    this.positions = null;
  }
}
