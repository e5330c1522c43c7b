// One signal of a chart: what the API told of it and what came since, as lines, bands and marks.

import { isCounted } from "./format.js";
import { known } from "./shell.js";

const TAIL = 5000; // readings that are kept until the API is asked anew

export class Curve {
  // told: a signal of the API's trend; base: ms of its `from`; shift: ms by which it is moved, to
  // lie over another day
  constructor(told, base, shift = 0) {
    this.signal = told.signal;
    this.shape = told.shape;
    this.every = told.every;
    this.shift = shift;
    this.time = told.time.map((each) => base + each + shift);
    this.gaps = told.gaps.map((gap) => ({ from: base + gap.since + shift, to: base + gap.until + shift, why: gap.why }));
    this.before = told.before && [base + told.before[0] + shift, told.before[1], told.before[2]];
    const { value, status, words, minimum, maximum, mean, last, count, bad } = told;
    Object.assign(this, { value, status, words, minimum, maximum, mean, last, count, bad });
    this.tail = []; // [ms, value, status] that came after it was asked for
    this.steps = this.signal.access === "rw" || (isCounted(this.signal) && this.isWhole());
  }

  get numeric() {
    return this.shape !== "words";
  }

  get empty() {
    return !this.time.length && !this.tail.length && !(this.steps && this.before);
  }

  isWhole() {
    const values = this.shape === "samples" ? this.value : [...this.minimum, ...this.maximum];
    return values.every((each) => each === null || Number.isInteger(each));
  }

  follow([value, ms, status]) {
    const newest = this.tail.at(-1)?.[0] ?? this.time.at(-1) ?? 0;
    if (ms <= newest || this.tail.length > TAIL) return false;
    this.tail.push([ms, value, status]);
    return true;
  }

  // least and most of what is drawn between two moments, or null
  range(from, to) {
    let [low, high] = [Infinity, -Infinity];
    const add = (one, two) => {
      if (one !== null && one < low) low = one;
      if (two !== null && two > high) high = two;
    };
    const first = Math.max(0, this.place(from));
    for (let n = first; n < this.time.length && this.time[n] <= to; n++) {
      if (this.shape === "buckets") add(this.minimum[n], this.maximum[n]);
      else if (isKnown(this.value[n], this.status[n])) add(this.value[n], this.value[n]);
    }
    for (const [ms, value, status] of this.tail) if (ms >= from && ms <= to && isKnown(value, status)) add(value, value);
    if (low > high && this.steps && this.before && isKnown(this.before[1], this.before[2])) return [this.before[1], this.before[1]];
    return low > high ? null : [low, high];
  }

  // the place of the last sample or bucket that begins at or before a moment; -1: none
  place(ms) {
    let [low, high] = [0, this.time.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] <= ms) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  gapAt(ms) {
    return this.gaps.find((gap) => ms >= gap.from && ms < gap.to);
  }

  // what is known at a moment: { ms, value, low, high, status, words }, or null
  at(ms) {
    if (this.gapAt(ms)) return null;
    const late = this.tail.findLast((each) => each[0] <= ms);
    if (late) return isKnown(late[1], late[2]) ? { ms: late[0], value: late[1], status: late[2] } : null;
    const n = this.place(ms);
    if (n < 0) return this.before && this.steps ? { ms: this.before[0], value: this.before[1], status: this.before[2] } : null;
    if (this.shape === "words") return { ms: this.time[n], words: this.words[n], status: this.status[n] };
    if (this.shape === "buckets") {
      if (!this.count[n] || (!this.steps && ms > this.time[n] + 2 * this.every)) return null;
      return { ms: this.time[n], value: this.steps ? this.last[n] : this.mean[n], low: this.minimum[n], high: this.maximum[n], status: this.bad[n] ? 1 : 0 };
    }
    const next = n + 1 < this.time.length && !this.steps && this.time[n + 1] - ms < ms - this.time[n] ? n + 1 : n;
    return isKnown(this.value[next], this.status[next]) ? { ms: this.time[next], value: this.value[next], status: this.status[next] } : null;
  }

  // the line as a path; x, y: places of a moment and a value; until: to where a last value holds
  line(x, y, until) {
    let d = "";
    let open = null; // the moment of the point that the next one is joined to
    let gap = 0;
    const close = (ms) => {
      if (open !== null && this.steps && ms > open) d += `H${fixed(x(ms))}`;
      open = null;
    };
    for (const [ms, value] of this.points()) {
      while (gap < this.gaps.length && this.gaps[gap].to <= (open ?? -Infinity)) gap++;
      const hole = this.gaps[gap];
      if (open !== null && hole && hole.from < ms && hole.to > open) close(hole.from);
      if (value === null) close(ms);
      else {
        if (open === null) d += `M${fixed(x(ms))} ${fixed(y(value))}`;
        else if (this.steps) d += `H${fixed(x(ms))}V${fixed(y(value))}`;
        else d += `L${fixed(x(ms))} ${fixed(y(value))}`;
        open = ms;
      }
    }
    const hole = this.gaps.find((each) => each.to > (open ?? Infinity));
    close(hole ? Math.min(hole.from, until) : until);
    return d;
  }

  // [ms, value or null] of all that is joined by the line
  *points() {
    if (this.steps && this.before && (!this.time.length || this.before[0] < this.time[0])) yield [this.before[0], usable(this.before[1], this.before[2])];
    const middle = this.steps ? 0 : this.every / 2;
    for (let n = 0; n < this.time.length; n++) {
      if (this.shape === "samples") yield [this.time[n], usable(this.value[n], this.status[n])];
      else yield [this.time[n] + middle, this.count[n] ? (this.steps ? this.last[n] : this.mean[n]) : null];
    }
    for (const [ms, value, status] of this.tail) yield [ms, usable(value, status)];
  }

  // between least and most of each bucket, as a path
  band(x, y) {
    if (this.shape !== "buckets") return "";
    let d = "";
    let run = [];
    const end = () => {
      if (run.length) d += `M${run.map((n) => `${fixed(x(this.time[n]))} ${fixed(y(this.maximum[n]))}H${fixed(x(this.time[n] + this.every))}`).join("L")}L${run.reverse().map((n) => `${fixed(x(this.time[n] + this.every))} ${fixed(y(this.minimum[n]))}H${fixed(x(this.time[n]))}`).join("L")}z`;
      run = [];
    };
    for (let n = 0; n < this.time.length; n++) {
      if (!this.count[n] || (run.length && this.time[n] - this.time[n - 1] > this.every * 1.01)) end();
      if (this.count[n]) run.push(n);
    }
    end();
    return d;
  }

  // samples that stand alone or are few enough to be seen one by one: [ms, value]
  dots(from, to, most) {
    const all = [...this.points()].filter(([ms, value]) => value !== null && ms >= from && ms <= to);
    return all.length <= most && this.shape === "samples" ? all : [];
  }

  // what is not good, [ms, value or null, "bad" | "uncertain"]; a bucket of which a part is not
  // good is uncertain
  marks(from, to) {
    const found = [];
    for (let n = Math.max(0, this.place(from)); n < this.time.length && this.time[n] <= to; n++) {
      if (this.shape === "buckets") {
        if (this.bad[n]) found.push([this.time[n] + this.every / 2, null, this.count[n] ? "uncertain" : "bad"]);
      } else if (this.status[n] & 3 || this.status[n] & 0x30) found.push([this.time[n], isKnown(this.value[n], this.status[n]) ? this.value[n] : null, (this.status[n] & 3) >= 2 ? "bad" : "uncertain"]);
    }
    return found;
  }

  // rows of a table of what is drawn
  *rows() {
    for (let n = 0; n < this.time.length; n++) {
      const row = { id: this.signal.id, ms: this.time[n], time: new Date(this.time[n]).toISOString() };
      if (this.shape === "samples") yield { ...row, value: this.value[n], status: this.status[n] };
      else if (this.shape === "words") yield { ...row, words: this.words[n], status: this.status[n] };
      else yield { ...row, value: this.mean[n], minimum: this.minimum[n], maximum: this.maximum[n], count: this.count[n], bad: this.bad[n] };
    }
    for (const [ms, value, status] of this.tail) yield { id: this.signal.id, ms, time: new Date(ms).toISOString(), value, status };
  }
}

function usable(value, status) {
  return isKnown(value, status) ? value : null;
}

export function isKnown(value, status) {
  return value !== null && value !== undefined && (status & 3) < 2;
}

// the signal of an id, also where the factory has none of it any more
export function signalOf(id) {
  return known.signals.get(id) ?? { id, name: "", unit: "1", kind: "number", access: "r", low: null, high: null };
}

function fixed(place) {
  return Math.round(place * 10) / 10;
}
