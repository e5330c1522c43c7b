// The choice of a period: a shift, a day, a week, a month, or one's own. It stands in the address,
// so that a link shows the same.

import { button, element } from "./dom.js";
import { get, here, moment, now } from "./shell.js";

const DAY = 86400000;
const NAMES = ["shift", "before", "today", "yesterday", "week", "month", "own"];

export class Period {
  // done: called whenever the period has changed, and once at first; names: those that are offered
  // remembered: whether it stands in the address, where one page has several
  constructor(done, names = NAMES, { remembered = true } = {}) {
    Object.assign(this, { done, names, remembered });
    this.element = element("div", "period");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", here.t.period);
    const asked = new URLSearchParams(remembered ? location.search : "");
    this.chosen = asked.get("period") ?? names[0];
    this.from = asked.get("from") ?? "";
    this.to = asked.get("to") ?? "";
    if (this.from && this.to) this.chosen = "own";
    else if (!names.includes(this.chosen) || this.chosen === "own") this.chosen = names[0];
  }

  // whether it ends now, so that what is new belongs to it
  get live() {
    return ["shift", "today", "week", "month"].includes(this.chosen);
  }

  // the period in words
  get words() {
    return `${moment(this.from)} – ${moment(this.to)}`;
  }

  async start() {
    await this.settle(this.chosen);
  }

  async settle(name) {
    this.chosen = name;
    if (name !== "own") [this.from, this.to] = await span(name);
    this.draw();
    this.remember();
    await this.done(this);
  }

  draw() {
    const picks = this.names.map((name) => {
      const made = button(name === this.chosen ? "chosen" : "", here.t.periods[name], () => (name === "own" ? this.ask() : this.settle(name)));
      made.setAttribute("aria-pressed", name === this.chosen);
      return made;
    });
    this.element.replaceChildren(element("div", "picks", ...picks), element("span", "quiet", this.words));
  }

  ask() {
    const { t } = here;
    const wrong = element("span", "wrong");
    wrong.setAttribute("role", "alert");
    const [from, to] = [input(this.from), input(this.to)];
    const yes = element("button", "", t.show);
    const form = element("form", "", element("label", "", `${t.periodFrom} `, from), element("label", "", `${t.periodTo} `, to), yes, wrong);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [start, end] = [instant(from.value), instant(to.value)];
      if (!(start < end)) {
        wrong.textContent = t.periodWrong;
        return;
      }
      [this.from, this.to] = [new Date(start).toISOString(), new Date(end).toISOString()];
      this.settle("own");
    });
    this.element.querySelector("form")?.remove();
    this.element.append(form);
    from.focus();
  }

  remember() {
    if (!this.remembered) return;
    const asked = new URLSearchParams(location.search);
    asked.delete("from");
    asked.delete("to");
    asked.delete("period");
    if (this.chosen === "own") {
      asked.set("from", this.from);
      asked.set("to", this.to);
    } else if (this.chosen !== this.names[0]) asked.set("period", this.chosen);
    const search = asked.size ? `?${asked}` : "";
    history.replaceState(null, "", location.pathname + search);
  }
}

async function span(name) {
  const today = midnight(now());
  if (name === "today") return texts(today, now());
  if (name === "yesterday") return texts(midnight(today - DAY / 2), today);
  if (name === "week") return texts(now() - 7 * DAY, now());
  if (name === "month") return texts(now() - 30 * DAY, now());
  const [from, to] = texts(now() - 3 * DAY, now());
  const shifts = await get(`shifts?from=${from}&to=${to}`).catch(() => []);
  const begun = shifts.filter((each) => Date.parse(each.start) <= now());
  const running = begun.filter((each) => Date.parse(each.end) > now());
  if (name === "shift") return running.length ? texts(Date.parse(running.at(-1).start), now()) : texts(today, now());
  const over = begun.filter((each) => Date.parse(each.end) <= now()).at(-1);
  return over ? [over.start, over.end] : texts(midnight(today - DAY / 2), today);
}

function texts(...times) {
  return times.map((ms) => new Date(ms).toISOString());
}

// ms by which the factory's clock is ahead of UTC at a moment
function ahead(ms) {
  const form = { timeZone: here.factory.timezone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const told = Object.fromEntries(new Intl.DateTimeFormat("en", form).formatToParts(ms).map((part) => [part.type, part.value]));
  return Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second) - Math.floor(ms / 1000) * 1000;
}

// the last midnight in the factory's time zone
function midnight(ms) {
  const local = ms + ahead(ms);
  const begun = local - (local % DAY);
  return begun - ahead(begun - ahead(ms));
}

// the moment of a date and time as the factory's clock shows it; NaN where there is none
function instant(text) {
  const local = Date.parse(`${text}Z`);
  return local - ahead(local - ahead(local));
}

function input(text) {
  const made = element("input");
  made.type = "datetime-local";
  made.required = true;
  const ms = Date.parse(text);
  made.value = new Date(ms + ahead(ms)).toISOString().slice(0, 16);
  return made;
}
