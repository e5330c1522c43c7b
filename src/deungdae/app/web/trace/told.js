// What is told of one code: the sentence, its life, what it is made of, where it went, the recall set.

import { $, button, element } from "../dom.js";
import { number } from "../format.js";
import { savable } from "../picture.js";
import { assetName, get, here, moment } from "../shell.js";
import { Table } from "../table.js";
import { open, remember } from "./ask.js";
import { Life, lookOf } from "./life.js";
import { show } from "./step.js";
import { Tree, chain } from "./tree.js";

const CARDS = ["told", "lost", "life-card", "whereabouts", "forward", "backward", "recall"];
const MOST = 2000; // things of the recall set that are asked for at first
const NAMED = 4; // places that the sentence names

export class Told {
  constructor(code) {
    this.code = code;
    this.at = new URLSearchParams(location.search).get("at") ?? "";
    this.turn = 0;
  }

  async build() {
    const turn = ++this.turn; // another language, or a reload, while an answer is under way
    for (const card of CARDS) $(`trace-${card}`).hidden = true;
    if (!this.code) return;
    try {
      const told = await get(this.path());
      if (turn === this.turn && $("trace-told")) this.tell(told);
    } catch (problem) {
      if (turn === this.turn && $("trace-told")) await this.miss(problem);
    }
  }

  leave() {
    this.turn += 1;
    this.life?.leave();
  }

  path(rest = "", more = "") {
    const query = [this.at && `at=${encodeURIComponent(this.at)}`, more].filter(Boolean).join("&");
    return `trace/${encodeURIComponent(this.code)}${rest}${query ? `?${query}` : ""}`;
  }

  tell(told) {
    const { t } = here;
    remember(told.code);
    $("trace-told").hidden = false;
    $("trace-title").textContent = told.code;
    $("trace-kind").textContent = t.kinds[told.kind] ?? told.kind;
    const look = lookOf(told.result);
    $("trace-result").hidden = !told.result;
    $("trace-result").className = `chip ${look.kind}`;
    $("trace-result").textContent = `${look.mark} ${look.label}`;
    $("trace-now").textContent = sentence(told);
    const facts = [
      told.product && `${t.product} ${told.product}`,
      told.order && `${t.orderWord} ${told.order}`,
      ...Object.entries(told.said).filter(([name]) => name !== "format" && name !== "symbology").map(([name, value]) => `${name.toUpperCase()} ${value}`),
    ];
    $("trace-facts").textContent = facts.filter(Boolean).join(" · ");
    this.chooseLife(told);
    $("trace-life-card").hidden = !told.steps.length;
    this.life?.leave();
    this.life = new Life($("trace-line"), told, (step, n) => show(told, step, n));
    $("trace-save").replaceChildren(savable($("trace-line"), `trace-${told.code}`));
    this.follow("forward", t.forward);
    this.follow("backward", told.kind === "carrier" ? t.contents : t.backward);
    this.recall(told);
  }

  chooseLife(told) {
    $("trace-life-choice").hidden = told.lives.length < 2;
    const choice = $("trace-life");
    const options = told.lives.map((life) => Object.assign(element("option", "", `${moment(life.start)} – ${moment(life.end)}`), { value: life.start }));
    choice.replaceChildren(...options.reverse());
    choice.value = told.lives[told.life]?.start ?? "";
    choice.onchange = () => open(told.code, choice.value);
  }

  async follow(way, title) {
    const turn = this.turn;
    const card = $(`trace-${way}`);
    const reach = await get(this.path(`/${way}`)).catch(() => null);
    if (turn !== this.turn || !reach) return;
    card.hidden = false;
    const { t } = here;
    const head = element("div", "head", element("h2", "", title));
    const counts = reach.counts.length ? chain(reach) : element("p", "quiet", t.nothingTold[way]);
    card.replaceChildren(head, counts, new Tree(way, reach).element);
  }

  async recall(told) {
    const turn = this.turn;
    const answer = await get(this.path("/recall", `limit=${MOST}`)).catch(() => null);
    if (turn !== this.turn || !answer) return;
    const { t } = here;
    const rows = answer.rows.filter((row) => row.steps);
    if (!rows.some((row) => row.kind === "serial" || row.kind === "lot")) return; // nothing was made of it
    $("trace-recall").hidden = false;
    $("trace-recall-note").textContent = answer.more ? t.recallMore(number(rows.length, t.locale)) : t.recallAll(number(rows.length, t.locale));
    const table = new Table({ name: `recall-${told.code}`, columns: columns(), label: t.recall });
    table.fill(rows);
    $("trace-recall-rows").replaceChildren(table.element);
    const places = whereabouts(rows, answer.more);
    if (places && told.kind !== "serial") $("trace-now").textContent = places;
  }

  async miss(problem) {
    const { t } = here;
    $("trace-lost").hidden = false;
    const unknown = problem.status === 404;
    $("trace-lost-title").textContent = unknown ? t.notFound(short(this.code)) : t.failed;
    const near = unknown ? await get(`trace?near=${encodeURIComponent(this.code.slice(0, 200))}`).catch(() => null) : null;
    if (!$("trace-near")) return;
    const since = near?.since ? t.knownSince(moment(near.since)) : t.noScans;
    $("trace-lost-text").textContent = unknown ? since : problem.message;
    $("trace-near-title").hidden = !near?.codes.length;
    $("trace-near").replaceChildren(...(near?.codes ?? []).map((code) => button("code", code, () => open(code))));
  }
}

function short(code) {
  return code.length > 60 ? `${code.slice(0, 60)}…` : code;
}

// what it is and where it is now
function sentence({ now: place }) {
  const { t } = here;
  if (!place) return t.onlyNamed;
  const where = assetName(place.asset);
  const when = moment(place.time);
  if (place.to) return t.leftFor(place.to, where, when);
  if (place.result === "scrap") return t.scrappedAt(where, when);
  if (place.carriers.length) return t.isOn(place.carriers.join(" › "), where, when);
  return t.isAt(where, when);
}

function columns() {
  const { t } = here;
  const link = (row) => Object.assign(element("a", "code", row.code), { href: `/trace/${encodeURIComponent(row.code)}` });
  return [
    { key: "code", title: t.code, show: link },
    { key: (row) => t.kinds[row.kind] ?? row.kind, title: t.kindWord },
    { key: "product", title: t.product },
    { key: (row) => (row.result ? `${lookOf(row.result).mark} ${lookOf(row.result).label}` : ""), title: t.resultWord },
    { key: (row) => (row.asset ? assetName(row.asset) : ""), title: t.lastSeenAt },
    { key: "time", title: t.lastSeen, kind: "time" },
    { key: (row) => row.carriers.join(" › "), title: t.carrierWord },
    { key: "to", title: t.toWord },
  ];
}

// shows how many of the things themselves are where, and returns it in a sentence
function whereabouts(rows, more) {
  const { t } = here;
  const things = rows.filter((row) => row.kind === "serial");
  if (!things.length) return "";
  const counts = new Map();
  for (const row of things) {
    const name = whereOf(row);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const items = sorted.map(([name, count]) => {
    const fill = element("span", "fill");
    fill.style.width = `${(count / most) * 100}%`;
    const rail = element("span", "rail", fill);
    return element("li", "", element("span", "", name), rail, element("strong", "", number(count, t.locale)));
  });
  $("trace-where").replaceChildren(...items);
  $("trace-where-note").textContent = more ? t.atLeast(number(things.length, t.locale)) : t.ofAll(number(things.length, t.locale));
  $("trace-whereabouts").hidden = false;
  const places = sorted.slice(0, NAMED).map(([name, count]) => t.placed(name, number(count, t.locale)));
  const said = t.became(number(things.length, t.locale), [...places, ...(sorted.length > NAMED ? ["…"] : [])].join(", "));
  return more ? `${said} (${t.thereIsMore})` : said;
}

function whereOf(row) {
  const { t } = here;
  if (row.to) return `→ ${row.to}`;
  if (row.result === "scrap") return `✕ ${t.results_.scrap}`;
  return row.asset ? assetName(row.asset) : t.unseen;
}
