// Whether the model at work still sees, decides and is right as when it was taught. Three questions;
// one without an answer looks like one without an answer, never like a good one.

import { element } from "../dom.js";
import { number, percent } from "../format.js";
import { say } from "../said.js";
import { get, here, moment } from "../shell.js";

const DAYS = 3; // that are looked at
const AGAIN = 600000; // ms between looks while the page is open
const SOON = 20000; // ms between looks, at least: each reads many images
const STATES = { same: ["✓", "run"], changed: ["◆", "down"], open: ["◔", "idle"], unknown: ["∅", "none"] };
const SHOWN = { brightness: (value) => value, contrast: (value) => value, sharpness: (value, before) => 10 ** (value - before) }; // as shares; sharpness, a logarithm, of what it was

export class Drift {
  // done: called when there is something new to show
  constructor(done) {
    this.done = done;
    this.told = new Map(); // name of a model -> { version, asked, answer, problem }
    this.waiting = new Map();
  }

  leave() {
    this.gone = true;
    for (const each of this.waiting.values()) clearTimeout(each);
  }

  // asks of each model at work: at once of one that is new there, else as soon as it may
  ask(models) {
    for (const each of models) {
      const version = each.acting || each.shadow;
      if (!version) this.told.delete(each.name);
      else if (this.told.get(each.name)?.version !== version) this.look(each.name, version);
      else this.wait(each.name, version, this.told.get(each.name).asked + SOON - performance.now());
    }
  }

  wait(name, version, ms) {
    clearTimeout(this.waiting.get(name));
    this.waiting.set(name, setTimeout(() => this.look(name, version), Math.max(0, ms)));
  }

  async look(name, version) {
    const known = this.told.get(name);
    const entry = { version, asked: performance.now(), answer: known?.version === version ? known.answer : null, problem: "" };
    this.told.set(name, entry);
    try {
      entry.answer = await get(`models/${name}/drift?from=-${DAYS}d&version=${version}`);
    } catch (problem) {
      entry.answer = null;
      entry.problem = problem.message;
    }
    if (this.gone || this.told.get(name) !== entry) return;
    this.wait(name, version, AGAIN);
    this.done();
  }

  // what is known of a model, or nothing while none is at work
  element(name) {
    const { t } = here;
    const entry = this.told.get(name);
    if (!entry) return null;
    const told = entry.answer;
    const about = told && !told.reason ? t.lookedBack(DAYS, number(told.judged, t.locale), entry.version) : t.lookingBack(DAYS, entry.version);
    const head = element("div", "head", element("h4", "", t.drift), element("span", "quiet", about));
    const why = entry.problem || told?.reason || "";
    const all = why ? [element("p", "state none", `∅ ${t.driftUnknown} ${say(why)}`)] : told ? [element("div", "questions", ...told.questions.map((each) => question(each, told)))] : [element("p", "quiet", t.loading)];
    return element("section", "drift", head, ...all);
  }
}

function question({ about, state, reasons }, told) {
  const { t } = here;
  const [mark, kind] = STATES[state];
  const words = t.driftStates[about]?.[state] ?? t.driftStates[state];
  const notices = told.notices.filter((each) => each.about === about).map(notice);
  const quiet = [...reasons.map((each) => say(each)), ...FIGURES[about](told)].map((each) => element("p", "quiet", each));
  return element("div", `question ${kind}`, element("h5", "", t.driftOf[about]), element("p", `state ${kind}`, `${mark} ${words}`), ...notices, ...quiet);
}

function notice({ problem, remedy, since }) {
  const { t } = here;
  const when = since ? element("span", "quiet", t.sinceWhen(moment(since))) : null;
  return element("div", "told", element("strong", "", say(problem)), when, element("p", "", t.whatToDo(say(remedy))));
}

const share = (value) => `${percent(100 * value, here.t.locale)} %`;
const between = ({ value, low, high }) => `${share(value)} (${percent(100 * low, here.t.locale)} – ${share(high)})`;

// what the answers rest on, a line each
const FIGURES = {
  images({ changes, looked }) {
    const { t } = here;
    const known = changes.filter((each) => each.name !== "score");
    const lines = known.map(({ name, before, now }) => t.fromTo(t.looks[name] ?? name, ...[before, now].map((each) => (SHOWN[name] ? share(SHOWN[name](each, before)) : number(each, t.locale)))));
    return known.length ? [t.comparedImages(number(looked, t.locale)), ...lines] : [];
  },
  scores({ changes, shares }) {
    const { t } = here;
    const scores = changes.filter((each) => each.name === "score").map(({ before, now }) => t.fromTo(t.score, number(before, t.locale, true), number(now, t.locale, true)));
    return [...scores, ...shares.map((each) => t.sinceFirst(t.verdicts[each.verdict], share(each.first.value), share(each.now.value)))];
  },
  errors({ errors }) {
    const { t } = here;
    const [passed, rejected] = errors.looked;
    return [
      ...(errors.bad_accepted ? [t.badAccepted(passed, between(errors.bad_accepted))] : []),
      ...(errors.good_rejected ? [t.goodRejected(rejected, between(errors.good_rejected))] : []),
      ...(errors.escape ? [t.escapeShare(between(errors.escape))] : []),
    ];
  },
};
