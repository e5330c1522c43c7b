// A past period of the line, played: its plan as it stood, at any speed, from stop to stop.

import { $, drawn, lettered, onResize, put } from "../dom.js";
import { age, clock, day, number } from "../format.js";
import { titled } from "../line.js";
import { Period } from "../period.js";
import { Plan } from "../plan.js";
import { assetName, get, here, known, moment } from "../shell.js";
import { look, stateOf } from "../states.js";

const SPEEDS = [1, 10, 60, 300, 1000];
const USUAL = 300;
const PERIODS = ["yesterday", "before", "shift", "today", "own"];
const LEAST = 60000; // ms that a stop lasts to be told
const REDRAW = 100; // ms between two looks at the plan while it plays
const LANE = 15; // px of a station on the strip
const HEIGHTS = { down: 1, hold: 0.8, run: 0.6, idle: 0.4, other: 0.4, off: 0.15 }; // of a lane, so that colour is not all
const LATE = 120000; // ms by which records may begin late or end early without a word

export class Replay {
  constructor(open) {
    this.plan = new Plan($("replay-plan"), open);
    this.told = null;
    this.stops = [];
    this.at = 0;
    this.playing = 0; // number of the frame that was asked for, 0: it stands
    this.asked = 0;
    $("replay-play").addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    $("replay-back").addEventListener("click", () => this.jump(-1));
    $("replay-on").addEventListener("click", () => this.jump(1));
    $("replay-time").addEventListener("input", () => this.seek(this.start + Number($("replay-time").value)));
    $("replay-strip").addEventListener("click", (event) => this.point(event));
    onResize($("replay-strip"), () => this.strip());
  }

  build() {
    const [twin] = Object.keys(known.lines);
    $("replay").hidden = !twin;
    if (!twin) return;
    this.line = titled(known.lines[twin]);
    this.plan.show([this.line]);
    this.speeds();
    if (this.twin === twin && this.language === here.t.locale) return;
    this.twin = twin;
    this.language = here.t.locale;
    const period = new Period((chosen) => this.load(chosen), PERIODS);
    $("replay-period").replaceChildren(period.element);
    period.start();
  }

  leave() {
    this.pause();
    this.asked += 1; // what is under way is not wanted any more
  }

  speeds() {
    const chosen = Number($("replay-speed").value) || USUAL;
    $("replay-speed").replaceChildren(...SPEEDS.map((each) => new Option(`${number(each, here.t.locale)}×`, each, false, each === chosen)));
  }

  // ---- what is played

  async load(period) {
    this.pause();
    const mine = ++this.asked;
    this.say(here.t.replayLoading);
    const query = new URLSearchParams({ twin: this.twin, from: period.from, to: period.to });
    let told;
    try {
      told = await get(`replay?${query}`);
    } catch (error) {
      if (mine === this.asked) this.show(null, error.message);
      return;
    }
    if (mine === this.asked) this.show(told, "");
  }

  show(told, problem) {
    const empty = !told || !Object.keys(told.states).length;
    this.told = told;
    this.start = told ? Date.parse(told.start) : 0;
    this.end = told ? Date.parse(told.end) : 0;
    this.stops = told ? stopsOf(this.line, told, this.start, this.end) : [];
    this.at = told?.first && Date.parse(told.first) > this.start + LATE && !startsKnown(told, this.start) ? Date.parse(told.first) : this.start;
    $("replay-time").max = Math.max(0, this.end - this.start);
    for (const id of ["replay-play", "replay-time", "replay-speed"]) $(id).disabled = empty;
    for (const id of ["replay-back", "replay-on"]) $(id).disabled = !this.stops.length;
    put($("replay-stops"), told ? here.t.replayStops(this.stops.length) : "");
    this.say(problem || (empty ? here.t.replayNone : this.ends()));
    this.strip();
    this.draw();
  }

  // where the records end inside the period
  ends() {
    const { t } = here;
    const found = [];
    if (this.told.first && Date.parse(this.told.first) > this.start + LATE && !startsKnown(this.told, this.start)) found.push(t.replayFrom(moment(this.told.first)));
    if (this.told.thinned) found.push(t.replayThinned(this.told.thinned / 1000));
    return found.join(" ");
  }

  say(words) {
    put($("replay-note"), words);
  }

  // ---- time

  play() {
    if (this.at >= this.end) this.at = this.start;
    let before = performance.now();
    let drawnAt = 0;
    const step = (time) => {
      this.at = Math.min(this.end, this.at + Math.max(0, time - before) * Number($("replay-speed").value));
      before = time;
      if (time - drawnAt >= REDRAW || this.at >= this.end) {
        drawnAt = time;
        this.draw();
      }
      if (this.at >= this.end) this.pause();
      else this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
    this.draw();
  }

  pause() {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    if (this.told) this.draw();
  }

  seek(time) {
    this.at = Math.min(this.end, Math.max(this.start, time));
    this.draw();
  }

  jump(direction) {
    const later = this.stops.filter((stop) => stop.start > this.at);
    const earlier = this.stops.filter((stop) => stop.start < this.at - 1000);
    const stop = direction > 0 ? later[0] : earlier.at(-1);
    if (!stop) return;
    this.seek(stop.start);
    const { t } = here;
    this.say(t.replayStop(stop.title, clock(stop.start, t.locale, here.factory.timezone), age((stop.end - stop.start) / 1000, t.units)));
  }

  point(event) {
    if (!this.told || !this.scale) return;
    const { left } = $("replay-strip").getBoundingClientRect();
    this.seek(this.scale.time(event.clientX - left));
  }

  // ---- what is seen

  draw() {
    const { t } = here;
    const label = this.playing ? t.replayPause : t.replayPlay;
    put($("replay-play"), `${this.playing ? "❚❚" : "▶"} ${label}`);
    if (!this.told) {
      put($("replay-clock"), "–");
      this.plan.update({ station: (each) => seen(each, undefined, 0), buffer: (each) => waiting(each, null) });
      return;
    }
    const words = day(this.at, t.locale, here.factory.timezone, true);
    put($("replay-clock"), words);
    $("replay-time").value = this.at - this.start;
    $("replay-time").setAttribute("aria-valuetext", words);
    this.plan.update({
      station: (each) => seen(each, stateAt(this.told.states[each.asset], this.at), this.at),
      buffer: (each) => waiting(each, this.levelAt(each.name)),
    });
    this.head?.setAttribute("transform", `translate(${this.scale.x(this.at)} 0)`);
  }

  levelAt(name) {
    const row = this.told.levels[name];
    const place = lastUpTo(this.told.times, this.at);
    return row && place >= 0 ? row[place] : null;
  }

  // what each station did over the whole period, one lane each
  strip() {
    const svg = $("replay-strip");
    const width = svg.clientWidth;
    if (!this.line || width < 100) return;
    const names = width < 560 ? 0 : 120;
    const stations = this.line.stations.filter((each) => stateOf(each.asset));
    const high = stations.length * LANE + 20;
    const span = Math.max(1, this.end - this.start);
    const inner = width - names - 2;
    this.scale = {
      x: (time) => names + ((time - this.start) / span) * inner,
      time: (x) => this.start + ((x - names) / inner) * span,
    };
    const lanes = stations.flatMap((each, n) => this.lane(each, n * LANE, names, Math.floor(inner)));
    this.head = drawn("line", { class: "head", y1: 0, y2: stations.length * LANE, x1: 0, x2: 0 });
    svg.setAttribute("viewBox", `0 0 ${width} ${high}`);
    svg.setAttribute("height", high);
    svg.setAttribute("aria-label", this.told ? here.t.replayStrip(stations.length, this.stops.length) : here.t.replayNone);
    svg.replaceChildren(...lanes, ...this.hours(stations.length * LANE), this.head);
    if (this.told) this.head.setAttribute("transform", `translate(${this.scale.x(this.at)} 0)`);
  }

  lane(station, top, left, columns) {
    const found = [drawn("rect", { class: "nothing", x: left, y: top + 1, width: columns, height: LANE - 3 })];
    if (left) found.push(lettered("lane-name", 0, top + LANE - 4, shortened(assetName(station.asset))));
    const row = this.told?.states[station.asset];
    if (!row) return found;
    for (const { kind, from, to } of runs(row, this.start, this.end, columns)) {
      const height = (LANE - 3) * (HEIGHTS[kind] ?? 0.4);
      found.push(drawn("rect", { class: kind, x: left + from, y: top + LANE - 2 - height, width: to - from, height }));
    }
    return found;
  }

  hours(bottom) {
    if (!this.told) return [];
    const { t } = here;
    const width = this.scale.x(this.end) - this.scale.x(this.start);
    const hours = (this.end - this.start) / 3600000;
    const every = [1, 2, 3, 4, 6, 12].find((each) => (hours / each) * 52 < width) ?? 24;
    const found = [];
    for (let time = Math.ceil(this.start / 3600000) * 3600000; time <= this.end; time += 3600000) {
      const words = clock(time, t.locale, here.factory.timezone, false);
      if (Number(words.slice(0, 2)) % every) continue;
      const x = this.scale.x(time);
      const end = x > this.scale.x(this.end) - 20 ? "end" : "middle";
      found.push(drawn("line", { class: "hour", x1: x, x2: x, y1: bottom, y2: bottom + 4 }), lettered(end, x, bottom + 17, words));
    }
    return found;
  }
}

// ---- the past

function lastUpTo(times, time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// as events are told: [word, ms, status], or undefined where nothing is known yet
function stateAt(row, time) {
  const place = row ? lastUpTo(row.time, time) : -1;
  return place < 0 ? undefined : [row.state[place], row.time[place], row.status[place]];
}

function startsKnown(told, start) {
  return Object.values(told.states).some((row) => row.time[0] <= start);
}

function seen(station, event, time) {
  const { t } = here;
  const mute = !event && !stateOf(station.asset); // it tells no state at all: that is not being silent
  const shown = mute ? { kind: "other", mark: "●", label: t.noState, since: null } : look(event);
  const since = shown.since === null ? "" : t.since(age((time - shown.since) / 1000, t.units));
  const words = [station.title, shown.label, since].filter(Boolean).join(", ");
  return { ...shown, since, detail: "", figure: "", words };
}

function waiting(buffer, level) {
  const { t } = here;
  const words = level === null ? `${buffer.name}: ${t.noData}` : `${buffer.name}: ${t.waitingParts(level, buffer.capacity)}`;
  return { level, words };
}

// when stations were down, in order of time
function stopsOf(line, told, start, end) {
  const found = [];
  for (const station of line.stations) {
    const row = told.states[station.asset];
    row?.time.forEach((time, n) => {
      const kind = look([row.state[n], time, row.status[n]]).kind;
      const until = Math.min(end, row.time[n + 1] ?? end);
      if (kind === "down" && until - time >= LEAST && time >= start) found.push({ title: station.title, start: time, end: until });
    });
  }
  return found.sort((a, b) => a.start - b.start);
}

// a row of states by pixel: in each what it did most; a stop counts thrice, so that it is seen
function runs(row, start, end, columns) {
  const span = (end - start) / columns;
  const spent = Array.from({ length: columns }, () => ({}));
  row.time.forEach((time, n) => {
    const { kind } = look([row.state[n], time, row.status[n]]);
    const from = Math.max(start, time);
    const until = Math.min(end, row.time[n + 1] ?? end);
    for (let column = Math.floor((from - start) / span); column < columns && start + column * span < until; column++) {
      const part = Math.min(until, start + (column + 1) * span) - Math.max(from, start + column * span);
      spent[column][kind] = (spent[column][kind] ?? 0) + part * (kind === "down" ? 3 : 1);
    }
  });
  const found = [];
  spent.forEach((kinds, column) => {
    const [kind] = Object.entries(kinds).sort((a, b) => b[1] - a[1])[0] ?? ["none"];
    const last = found.at(-1);
    if (last?.kind === kind) last.to = column + 1;
    else found.push({ kind, from: column, to: column + 1 });
  });
  return found.filter((each) => each.kind !== "none");
}

function shortened(name) {
  return name.length > 11 ? `${name.slice(0, 10)}…` : name;
}
