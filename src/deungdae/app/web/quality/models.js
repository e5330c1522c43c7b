// What an inspection has learnt: its versions with their figures, training the next one, and letting
// one judge. Whatever a version promises stands beside it, and what it cannot promise too.

import { $, button, element } from "../dom.js";
import { number, percent } from "../format.js";
import { say } from "../said.js";
import { analyses, ask, assetName, assetOf, get, here, may, moment, send } from "../shell.js";
import { Drift } from "./drift.js";

const AGAIN = 1500; // ms between looks at a training
const BUDGETS = [["120", 2], ["300", 5], ["900", 15], ["1800", 30]]; // s, as words in minutes
const FIGURES = ["auroc", "escape", "false_reject", "automatic"];
const STAGES = { shadow: "idle", advise: "run", decide: "run" };
const MARKS = { shadow: "◔", advise: "◑", decide: "●" };
const FEW = 5; // bad parts, or good ones: on fewer no figure can be believed
const OPEN = 2; // versions that are told in full; older ones are folded away

export class Models {
  constructor() {
    this.drift = new Drift(() => this.show());
  }

  async build() {
    $("models").hidden = !analyses("vision", "golden");
    if (!$("models").hidden) await this.recall();
  }

  leave() {
    clearTimeout(this.waiting);
    this.drift.leave();
  }

  take(changed) {
    if (changed("session") && !$("models").hidden) this.show();
  }

  async recall() {
    clearTimeout(this.waiting);
    try {
      this.models = await get("models");
      $("models-error").textContent = "";
    } catch (problem) {
      $("models-error").textContent = problem.message;
    }
    this.drift.ask(this.models ?? []);
    this.show();
    if (this.models?.some((each) => each.training?.state === "running")) this.waiting = setTimeout(() => this.recall(), AGAIN);
  }

  show() {
    $("models-rows").replaceChildren(...(this.models ?? []).map((each) => this.model(each)));
  }

  model(each) {
    const { t } = here;
    const judges = each.acting ? t.judges[each.stage](each.acting) : t.judges.none;
    const told = each.versions.filter((version, n) => n < OPEN || version.stage);
    const folded = each.versions.filter((version) => !told.includes(version));
    const head = element("div", "head", element("h3", "", assetName(assetOf(each.signal))), element("span", "push"), ...this.tools(each));
    const parts = [head, ladder(each), element("p", "judges", judges), element("p", "quiet", t.labelledParts(each.good, each.bad))];
    if (each.problem) parts.push(element("p", "problem", say(each.problem)));
    if (each.training) parts.push(this.training(each, each.training));
    if (!each.versions.length && !each.training) parts.push(element("p", "quiet", t.noModel));
    const drift = this.drift.element(each.name);
    if (drift) parts.push(drift);
    parts.push(...told.map((version) => this.version(each, version)));
    if (folded.length) {
      const older = element("details", "older", element("summary", "", t.olderVersions(folded.length)), ...folded.map((version) => this.version(each, version)));
      older.open = this.unfolded?.has(each.name) ?? false;
      older.addEventListener("toggle", () => this.fold(each.name, older.open));
      parts.push(older);
    }
    return element("div", "model", ...parts);
  }

  // what is open stays open when all is drawn anew
  fold(key, open) {
    this.unfolded ??= new Set();
    if (open) this.unfolded.add(key);
    else this.unfolded.delete(key);
  }

  tools(each) {
    const { t } = here;
    const running = each.training?.state === "running";
    const made = [engineers(button("", t.train, () => this.begin(each)), running ? t.trainingNow : "")];
    if (each.before) made.push(engineers(button("", t.goBack, () => this.appoint(each, each.before, each.stage || "advise", t.goBackTo(each.before), t.goBack))));
    if (each.acting) made.push(engineers(button("", t.takeOut, () => this.appoint(each, "", "", t.takenOut))));
    return made;
  }

  begin(each) {
    const { t } = here;
    const choices = BUDGETS.map(([value, minutes]) => [value, t.minutes(minutes)]);
    ask({
      title: t.train,
      text: t.trainText,
      yes: t.train,
      path: `models/${each.name}/train`,
      fields: [["seconds", t.budget, choices, "300"]],
      whole: ({ seconds }) => ({ seconds: Number(seconds) }),
      done: () => this.recall(),
    });
  }

  training(each, job) {
    const { t } = here;
    if (job.state === "running") {
      const bar = element("progress");
      bar.max = 1;
      bar.value = job.share;
      bar.setAttribute("aria-label", t.train);
      const stop = engineers(button("", t.stopTraining, async () => {
        await send(`models/${each.name}/train`, undefined, "DELETE");
        await this.recall();
      }));
      return element("div", "training", bar, element("span", "", `${percent(100 * job.share, t.locale)} % · ${say(job.what)}`), stop);
    }
    if (job.state === "failed") return element("div", "failed", ...[t.trainingFailed, say(job.problem), say(job.remedy)].map((each) => element("p", "", each)));
    return element("p", "quiet", job.state !== "done" ? t.trainingStopped : job.version === each.shadow ? t.trained(job.version) : job.version === each.acting ? t.trainedAlike(job.version) : "");
  }

  version(each, version) {
    const { t } = here;
    const chip = element("span", `state ${STAGES[version.stage] ?? "hold"}`, `${MARKS[version.stage] ?? "○"} ${t.stages[version.stage] ?? t.stages.none}`);
    const title = element("div", "head", element("h4", "", version.version), chip, element("span", "quiet", moment(version.trained)), element("span", "push"), ...this.steps(each, version));
    const figures = FIGURES.filter((name) => version.metrics[name]).map((name) => figure(name, version));
    const about = element("p", "quiet", t.learntFrom(version.images, version.bad, version.held_out, say(version.method)));
    const more = element("details", "", element("summary", "", t.whatItPromises), element("ul", "", ...version.limits.map((each) => element("li", "", say(each)))));
    more.open = this.unfolded?.has(version.version) ?? false;
    more.addEventListener("toggle", () => this.fold(version.version, more.open));
    return element("section", "version", title, ...unproven(version), ...contest(version), element("dl", "figures", ...figures), about, more);
  }

  steps(each, version) {
    const { t } = here;
    const next = { shadow: "advise", advise: "decide", "": "shadow" }[version.stage];
    if (!next) return [];
    const why = next === "advise" && version.compared?.verdict === "worse" ? verdict(version.compared, version.compared.against || t.formerly)[2] : "";
    return [engineers(button("", t.steps[next], () => this.appoint(each, version.version, next, t.stepText[next])), why)];
  }

  appoint(each, version, stage, text, title = version ? here.t.steps[stage] : here.t.takeOut) {
    const { t } = here;
    ask({
      title,
      text,
      yes: t.yes,
      path: `models/${each.name}/stage`,
      body: { version, stage },
      problems: t.appointProblems,
      done: () => this.recall(),
    });
  }
}

// a button that needs the role engineer, and says so
function engineers(made, why = "") {
  const { t } = here;
  made.disabled = !may("engineer") || why !== "";
  made.title = may("engineer") ? why : t.needsEngineer;
  return made;
}

// the three steps of a model, and which version stands on each
function ladder(each) {
  const { t } = here;
  const on = { shadow: each.shadow, advise: "", decide: "" };
  if (each.acting) on[each.stage] = each.acting;
  const steps = Object.keys(STAGES).map((stage) => {
    const step = element("li", on[stage] ? `step ${STAGES[stage]}` : "step", element("strong", "", `${MARKS[stage]} ${t.stages[stage]}`), element("span", "quiet", on[stage] || t.nobody));
    step.title = t.stageWords[stage];
    return step;
  });
  const made = element("ol", "ladder", ...steps);
  made.setAttribute("aria-label", t.ladder);
  return made;
}

// a figure, on how many parts it rests, where these are few, that first, and what is promised of it
function figure(name, version) {
  const { t } = here;
  const { metrics, held_out, held_bad } = version;
  const { value, low, high } = metrics[name];
  const told = (share) => (name === "auroc" ? number(Math.round(share * 1000) / 1000, t.locale) : `${percent(100 * share, t.locale)} %`);
  const [words, count] = held_bad === null ? ["", FEW] : rests(name, held_out, held_bad);
  const figures = [element("strong", "", told(value)), element("span", "quiet", `${told(low)} – ${told(high)}`)];
  if (count < FEW) return element("div", "figure few", element("dt", "", t.figures[name]), element("dd", "", element("em", "", `◔ ${t.only(words)}`), ...figures, ...promise(name, version)));
  return element("div", "figure", element("dt", "", t.figures[name]), element("dd", "", ...figures, element("span", "quiet basis", words), ...promise(name, version)));
}

// what the limits hold for new parts; what was asked stands beside it where so few parts cannot carry that
function promise(name, version) {
  const { t } = here;
  const held = version.promised?.[name];
  if (held === undefined) return [];
  const [most, asked] = [held, version[name]].map((share) => `${percent(100 * share, t.locale)} %`);
  const words = held === null ? t.promisesNothing : held === 0 ? t.neverAlone : held > version[name] ? t.promisesInstead(most, asked) : t.promises(most);
  return [element("span", "promise", words)];
}

// on which parts a figure rests, in words, and how many of the fewer kind these are
function rests(name, all, bad) {
  const { t } = here;
  if (name === "false_reject") return [t.ofGood(all - bad), all - bad];
  if (name === "automatic") return [t.ofParts(all), all];
  return name === "escape" ? [t.ofBad(bad), bad] : [t.ofBoth(bad, all - bad), Math.min(bad, all - bad)];
}

// what nobody can know of a version yet, where that is much
function unproven({ bad, held_bad }) {
  const { t } = here;
  if (!bad) return [element("p", "state none", `∅ ${t.noBadLearnt}`)];
  return held_bad === 0 ? [element("p", "state none", `∅ ${t.noBadHeld}`)] : [];
}

// which of the two is better, on the same parts, and what each did with them
function contest({ compared }) {
  if (!compared) return [];
  const { t } = here;
  const against = compared.against || t.formerly;
  const [kind, mark, words] = verdict(compared, against);
  const rows = [
    ["", t.newOne, against],
    [t.escapedOf(compared.new.bad), compared.new.escaped, compared.old.escaped],
    [t.rejectedOf(compared.new.good), compared.new.falsely_rejected, compared.old.falsely_rejected],
    [t.askedOf(compared.new.good + compared.new.bad), compared.new.asked, compared.old.asked],
  ];
  const cells = rows.map((row, n) => element("tr", "", ...row.map((cell, m) => header(element(n && m ? "td" : "th", "", n && m ? number(cell, t.locale) : cell), n))));
  const table = element("table", "tallies", element("thead", "", cells[0]), element("tbody", "", ...cells.slice(1)));
  return [element("p", `contest ${kind}`, `${mark} ${words}`), table];
}

// what a comparison comes to: one that only asks people more often makes no more mistakes
function verdict({ verdict: told, new: now, old }, against) {
  const { t } = here;
  if (told === "better") return ["run", "▲", t.isBetter(against)];
  if (told === "not worse") return ["idle", "=", t.isNotWorse(against)];
  if (now.escaped <= old.escaped && now.falsely_rejected <= old.falsely_rejected) return ["idle", "◔", t.asksMore(against)];
  return ["down", "▼", t.isWorse(against)];
}

function header(cell, row) {
  if (cell.tagName === "TH") cell.scope = row ? "row" : "col";
  return cell;
}
