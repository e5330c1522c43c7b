// The stops of a period; one tap opens the reasons, another one gives the reason.

import { $, button, element } from "../dom.js";
import { Table } from "../table.js";
import { assetName, at, get, here, may, moment, send } from "../shell.js";
import { long, unknownWord } from "./say.js";

const MARKS = { failure: ["■", "down"], repair: ["■", "down"], delay: ["◆", "hold"], setup: ["◆", "hold"], idle: ["◐", "idle"], unknown: ["∅", "none"] };

export class Stops {
  // kept: called when a reason was kept
  constructor(kept) {
    this.kept = kept;
    this.all = false;
    $("why-no").addEventListener("click", () => $("why").close());
    $("why-back").addEventListener("click", () => this.takeBack());
    $("why-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.give($("why-own").value.trim());
    });
  }

  build() {
    const { t } = here;
    const title = t.stop;
    this.table = new Table({
      name: t.stopsTitle,
      empty: t.noStops,
      columns: [
        { key: "start", title: title.start, kind: "time", show: (row) => moment(row.start) },
        { key: (row) => row.seconds / 60, title: title.seconds, kind: "number", unit: "min", show: (row) => (row.open ? `${long(row.seconds)} · ${t.stillOpen}` : long(row.seconds)) },
        { key: (row) => assetName(row.asset), title: title.asset },
        { key: stateWord, title: title.state, show: chip },
        { key: "alarm", title: title.alarm },
        { key: "reason", title: title.reason, show: (row) => this.reason(row) },
      ],
    });
    $("stops-table").replaceChildren(this.table.element);
    $("stops-which").setAttribute("aria-label", t.stopsTitle);
  }

  show({ shown }) {
    this.stops = shown.flatMap((machine) => machine.stops).sort((a, b) => Date.parse(b.start) - Date.parse(a.start));
    this.draw();
  }

  draw() {
    const { t } = here;
    const wanted = this.stops.filter((stop) => stop.wants);
    $("stops-count").textContent = wanted.length ? `! ${t.wanted(wanted.length)}` : `✓ ${t.noneWanted}`;
    $("stops-count").className = `chip ${wanted.length ? "idle" : "run"}`;
    const pick = (all, words) => {
      const made = button(this.all === all ? "chosen" : "", words, () => {
        this.all = all;
        this.draw();
      });
      made.setAttribute("aria-pressed", this.all === all);
      return made;
    };
    $("stops-which").replaceChildren(pick(false, t.onlyWanted), pick(true, t.allStops));
    this.table.empty = this.stops.length && !this.all ? t.noStopsWanted : t.noStops;
    this.table.fill(this.all ? this.stops : wanted);
  }

  reason(stop) {
    const { t } = here;
    const label = stop.reason ? t.correct : stop.category === "unknown" ? t.whatWasIt : t.giveReason;
    const made = button(stop.reason ? "small" : stop.wants ? "small wanted" : "small", label, () => this.open(stop));
    made.disabled = !may("operator");
    made.title = made.disabled ? t.needsOperator : "";
    made.setAttribute("aria-label", `${label}: ${assetName(stop.asset)} ${moment(stop.start)}`);
    if (!stop.reason) return made;
    const words = [stop.reason, stop.note].filter(Boolean).join(" — ");
    return [element("span", "given", words, stop.person ? element("small", "quiet", ` ${stop.person}`) : ""), made];
  }

  async open(stop) {
    const { t } = here;
    this.stop = stop;
    const unknown = stop.category === "unknown";
    $("why-title").textContent = (unknown ? t.whatTitle : t.whyTitle)(assetName(stop.asset));
    const text = t.whyText(moment(stop.start), long((Date.parse(stop.end) - Date.parse(stop.start)) / 1000), [stateWord(stop), stop.alarm].filter(Boolean).join(" · "));
    $("why-text").textContent = unknown ? `${text}. ${t.whyUnknown}` : text;
    const told = stop.told.map(([time, reason]) => t.why(at(time, false), reason, ""));
    $("why-told").textContent = told.length ? t.whyTold(told.join(" · ")) : "";
    $("why-back").hidden = !told.length;
    $("why-problem").hidden = true;
    $("why-more").open = false;
    for (const id of ["why-own", "why-note", "why-from"]) $(id).value = "";
    $("why-groups").replaceChildren();
    $("why").showModal();
    try {
      this.offer(await get("stops/reasons"));
    } catch (problem) {
      this.say(problem.message);
    }
  }

  offer(groups) {
    const made = groups.map(({ group, reasons }) => {
      const buttons = reasons.map((reason) => {
        const choice = button("", reason, () => this.give(reason));
        choice.setAttribute("aria-pressed", this.stop.told.some(([, told]) => told === reason));
        return choice;
      });
      return element("div", "reasons", element("h3", "", group || here.t.ownGroup), element("div", "choices", ...buttons));
    });
    $("why-groups").replaceChildren(...made);
  }

  async give(reason) {
    const { stop } = this;
    const asked = $("why-from").value;
    const whole = (Date.parse(stop.end) - Date.parse(stop.start)) / 60000;
    if (asked !== "" && !(Number(asked) >= 0 && Number(asked) < whole)) {
      this.say(here.t.wrongFrom(Math.floor(whole)));
      return;
    }
    // a word at the begin corrects the first one, wherever that stands; later ones split the stop
    const start = Number(asked) ? new Date(Date.parse(stop.start) + Number(asked) * 60000).toISOString() : (stop.told[0]?.[0] ?? stop.start);
    await this.keep([{ asset: stop.asset, start, reason, note: $("why-note").value.trim() }]);
  }

  async takeBack() {
    await this.keep(this.stop.told.map(([start]) => ({ asset: this.stop.asset, start, reason: "" })));
  }

  async keep(said) {
    try {
      for (const each of said) await send("stops/reason", each);
    } catch (problem) {
      this.say(problem instanceof TypeError ? here.t.failed : problem.message);
      return;
    }
    $("why").close();
    await this.kept();
  }

  say(problem) {
    $("why-problem").hidden = false;
    $("why-problem").textContent = problem;
  }
}

function stateWord(stop) {
  const { t } = here;
  if (stop.category === "unknown") return unknownWord(stop.state);
  return t.states[stop.state.toLowerCase()] ?? t.kinds[stop.category] ?? stop.state;
}

function chip(stop) {
  const [mark, kind] = MARKS[stop.category] ?? ["●", ""];
  return element("span", `chip ${kind}`, `${mark} ${stateWord(stop)}`);
}
