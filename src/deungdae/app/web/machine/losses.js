// The indicators of a machine over the period of its story, and where its planned time went.

import { $, element } from "../dom.js";
import { age, number, percent } from "../format.js";
import { say } from "../said.js";
import { here, unitOf } from "../shell.js";
import { Table } from "../table.js";

const SHOWN = ["oee", "availability", "effectiveness", "quality_ratio", "throughput_rate"];

export class Losses {
  constructor(asset) {
    this.asset = asset;
  }

  build() {
    const { t } = here;
    $("machine-losses").hidden = false;
    this.table = new Table({
      name: `losses ${this.asset}`,
      label: t.lossesTitle,
      empty: t.noLosses,
      columns: [
        { key: (loss) => wordsOf(loss), title: t.lossName },
        { key: (loss) => t.lossKinds[loss.factor] ?? loss.factor, title: t.kpis },
        { key: (loss) => loss.seconds / 60, title: t.lossTime, kind: "number", unit: "min", show: (loss) => `${loss.seconds < 0 ? "−" : ""}${age(Math.abs(loss.seconds), t.units)}` },
        { key: "share", title: t.lossShare, kind: "number", unit: "%", show: (loss) => bar(loss, this.most) },
      ],
    });
    $("loss-rows").replaceChildren(this.table.element);
    $("loss-rows").hidden = true;
    if (this.answer === undefined) $("loss-tiles").replaceChildren(element("p", "quiet", t.loading));
    else this.show(this.answer, this.problem);
  }

  // answer: the story, or null where there is none
  show(answer, problem) {
    Object.assign(this, { answer, problem });
    if (!this.table) return;
    const indicators = new Map((answer?.indicators ?? []).map((each) => [each.name, each]));
    const tiles = SHOWN.filter((name) => indicators.has(name)).map((name) => tileOf(name, indicators.get(name)));
    $("loss-tiles").replaceChildren(...(tiles.length ? tiles : [element("p", "quiet", problem || here.t.noKpi)]));
    const losses = (answer?.losses ?? []).map(({ kind, ...loss }) => ({ ...loss, factor: kind }));
    this.most = Math.max(...losses.map((loss) => loss.share), 1e-9);
    this.table.fill(losses);
    $("loss-rows").hidden = !answer;
  }
}

function tileOf(name, each) {
  const { t } = here;
  const share = each.unit === "%";
  const form = share ? percent : number;
  const figure = element("p", "figure", each.value === null ? "–" : form(each.value, t.locale), element("small", "", each.value === null ? "" : unitOf(each.unit)));
  const made = element("div", `tile ${name}`, element("p", "label", t.kpi[name] ?? each.title), figure);
  if (each.value === null) made.append(element("p", "quiet", `${t.cannot}: ${say(each.reason)}`));
  else if (each.low !== null && each.high - each.low > 0.05) made.append(element("p", "quiet range", t.range(form(each.low, t.locale), form(each.high, t.locale))));
  const terms = Object.entries(each.terms).map(([term, value]) => `${term} = ${value === null ? "–" : number(value, t.locale)}`);
  const how = element("details", "quiet", element("summary", "", t.formula), element("p", "", each.formula), element("p", "", terms.join(", ")), each.reason && each.value !== null ? element("p", "", say(each.reason)) : "");
  made.append(how);
  return made;
}

// a reason of the analysis in the words of the page: a state with what people said of it, or a kind
function wordsOf({ reason, seconds }) {
  const { t } = here;
  if (reason === "slower than planned" && seconds < 0) return t.faster;
  if (t.lossWords[reason]) return t.lossWords[reason];
  const [, state, rest] = /^([^:]*)(.*)$/s.exec(reason);
  return `${t.states[state.toLowerCase()] ?? (state === "unknown" ? t.noData : state)}${rest}`;
}

function bar({ share, factor }, most) {
  const made = element("span", `share ${factor}`, `${percent(share, here.t.locale)} %`);
  made.style.setProperty("--share", `${(100 * Math.max(share, 0)) / most}%`);
  return made;
}
