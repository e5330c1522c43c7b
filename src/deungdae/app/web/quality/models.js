// What an inspection has learnt: its versions with their figures, training the next one, and letting
// one judge. Whatever a version promises stands beside it, and what it cannot promise too.

import { $, button, element } from "../dom.js";
import { number, percent } from "../format.js";
import { say } from "../said.js";
import { analyses, ask, assetName, assetOf, get, here, may, moment, send } from "../shell.js";

const AGAIN = 1500; // ms between looks at a training
const BUDGETS = [["120", 2], ["300", 5], ["900", 15], ["1800", 30]]; // s, as words in minutes
const FIGURES = ["auroc", "escape", "false_reject", "automatic"];
const STAGES = { decide: "run", advise: "run", shadow: "idle" };

export class Models {
  async build() {
    $("models").hidden = !analyses("vision");
    if (!$("models").hidden) await this.recall();
  }

  leave() {
    clearTimeout(this.waiting);
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
    this.show();
    if (this.models?.some((each) => each.training?.state === "running")) this.waiting = setTimeout(() => this.recall(), AGAIN);
  }

  show() {
    $("models-rows").replaceChildren(...(this.models ?? []).map((each) => this.model(each)));
  }

  model(each) {
    const { t } = here;
    const judges = each.acting ? t.judges[each.stage](each.acting) : t.judges.none;
    const head = element("div", "head", element("h3", "", assetName(assetOf(each.signal))), element("span", "push"), ...this.tools(each));
    const parts = [head, element("p", "", judges), element("p", "quiet", t.labelledParts(each.good, each.bad))];
    if (each.problem) parts.push(element("p", "problem", say(each.problem)));
    if (each.training) parts.push(this.training(each, each.training));
    if (!each.versions.length && !each.training) parts.push(element("p", "quiet", t.noModel));
    parts.push(...each.versions.map((version) => this.version(each, version)));
    return element("div", "model", ...parts);
  }

  tools(each) {
    const { t } = here;
    const running = each.training?.state === "running";
    const made = [engineers(button("", t.train, () => this.begin(each)), running ? t.trainingNow : "")];
    if (each.acting && each.before) made.push(engineers(button("", t.goBack, () => this.appoint(each, each.before, each.stage, t.goBackTo(each.before)))));
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
    if (job.state === "failed") return element("p", "problem", `${t.trainingFailed} ${say(job.problem)} ${say(job.remedy)}`);
    return element("p", "quiet", job.state === "done" ? t.trained(job.version) : t.trainingStopped);
  }

  version(each, version) {
    const { t } = here;
    const chip = element("span", `state ${STAGES[version.stage] ?? "hold"}`, t.stages[version.stage] ?? t.stages.none);
    const title = element("div", "head", element("strong", "", version.version), chip, element("span", "quiet", moment(version.trained)), element("span", "push"), ...this.steps(each, version));
    const figures = FIGURES.filter((name) => version.metrics[name]).map((name) => figure(name, version.metrics[name]));
    const about = element("p", "quiet", t.learntFrom(version.images, version.bad, version.held_out, version.method));
    const more = element("details", "", element("summary", "", t.whatItPromises), element("ul", "", ...version.limits.map((each) => element("li", "", say(each)))));
    return element("section", "version", title, element("dl", "facts", ...figures.flat()), ...contest(version), about, more);
  }

  steps(each, version) {
    const { t } = here;
    const next = { shadow: "advise", advise: "decide", "": "shadow" }[version.stage];
    if (!next) return [];
    return [engineers(button("", t.steps[next], () => this.appoint(each, version.version, next, t.stepText[next])))];
  }

  appoint(each, version, stage, text) {
    const { t } = here;
    ask({
      title: version ? t.steps[stage] : t.takeOut,
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

function figure(name, { value, low, high }) {
  const { t } = here;
  const told = (share) => (name === "auroc" ? number(Math.round(share * 1000) / 1000, t.locale) : `${percent(100 * share, t.locale)} %`);
  return [element("dt", "", t.figures[name]), element("dd", "", element("strong", "", told(value)), ` (${told(low)} – ${told(high)})`)];
}

function contest({ compared }) {
  if (!compared) return [];
  const { t } = here;
  const against = compared.against || t.formerly;
  const [kind, words] = { better: ["run", t.isBetter(against)], worse: ["down", t.isWorse(against)], "not worse": ["idle", t.isNotWorse(against)] }[compared.verdict];
  const tally = (each) => t.tally(each.escaped, each.bad, each.falsely_rejected, each.good, each.asked);
  return [element("p", `contest ${kind}`, words), element("p", "quiet", `${t.newOne}: ${tally(compared.new)}`), element("p", "quiet", `${against}: ${tally(compared.old)}`)];
}
