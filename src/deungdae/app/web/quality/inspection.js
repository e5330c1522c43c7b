// What cameras saw: the image with what was found on it, the queue of those that a person should
// look at, and one key to say what it really is.

import { $, button, drawn, element } from "../dom.js";
import { number, percent } from "../format.js";
import { Period } from "../period.js";
import { say } from "../said.js";
import { analyses, assetName, assetOf, findings, get, here, known, may, moment, send } from "../shell.js";

const SHOWN = 24;
const QUEUES = ["all", "open", "reject"];
const VERDICTS = { pass: ["✓", "run"], reject: ["✕", "down"], unsure: ["?", "idle"], learning: ["…", "hold"] };
const LABELS = { good: ["✓", "run"], reject: ["✕", "down"] };
const KEYS = { g: "good", 1: "good", b: "reject", 2: "reject" };
const AGAIN = 1500; // ms between two looks at what is new, at least
const PAUSE = 400; // ms without a further label, after which the counts are asked for
const WARM = 4; // of 15: cells of a heat map that are drawn; 8 is the threshold

export class Inspection {
  // labelled: called when a person has said what a part is
  constructor(labelled) {
    this.labelled = labelled;
    this.told = null; // what the API last said
    this.chosen = null; // the key of the one that a person picked, or null: the first
    this.queue = "all";
    this.asked = 0;
    this.turns = 0;
    this.heat = true;
    this.press = (event) => this.key(event);
    document.addEventListener("keydown", this.press);
  }

  leave() {
    document.removeEventListener("keydown", this.press);
    clearTimeout(this.waiting);
    clearTimeout(this.pause);
  }

  async build() {
    $("inspection").hidden = !analyses("vision", "golden") && !findings("inspection").length;
    if ($("inspection").hidden) return;
    this.period = new Period(() => this.recall(), ["today", "shift", "before", "yesterday", "own"]);
    $("inspection-period").replaceChildren(this.period.element);
    this.show();
    await this.period.start();
  }

  take(changed) {
    if (changed("factory") || $("inspection").hidden) return;
    if (changed("session")) this.show();
    if (!this.seen.length && (changed("events") || changed("waiting"))) this.show();
    if (!changed("findings") || !this.period?.live) return;
    const last = findings("inspection").sort((a, b) => Date.parse(b.end) - Date.parse(a.end))[0];
    if (!last || Date.parse(last.end) <= Date.parse(this.told?.inspections[0]?.time ?? 0)) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.recall(), Math.max(0, this.asked + AGAIN - performance.now()));
  }

  get seen() {
    return this.told?.inspections ?? [];
  }

  async recall() {
    this.asked = performance.now();
    const turn = ++this.turns;
    const to = this.period.live ? "" : `&to=${this.period.to}`;
    try {
      const told = await get(`inspections?from=${this.period.from}${to}&wanted=${this.queue}&limit=${SHOWN}`);
      if (turn !== this.turns) return; // an answer to what is not asked any more
      this.told = told;
      $("relabel-error").textContent = "";
    } catch (problem) {
      $("relabel-error").textContent = problem.message;
    }
    this.show();
  }

  show() {
    const { t } = here;
    const picks = QUEUES.map((queue) => pick(t.queues[queue], queue === this.queue, () => this.turn(queue)));
    $("queues").replaceChildren(...picks);
    const chosen = this.current() ?? (this.queue === "all" ? newest() : undefined);
    const none = this.told === null ? t.loading : this.queue === "open" ? t.noneOpen : t.noImage;
    $("inspection-empty").textContent = chosen ? "" : none;
    $("inspected").hidden = !chosen;
    if (!chosen) return;
    this.showOne(chosen);
    this.showLabel(chosen);
    const kept = new Map([...$("thumbs").children].map((each) => [each.dataset.key, each]));
    $("thumbs").replaceChildren(...this.seen.map((each) => kept.get(key(each)) ?? this.thumb(each)));
    for (const each of $("thumbs").children) each.setAttribute("aria-pressed", each.dataset.key === key(chosen));
    $("agreement").replaceChildren(...(this.told ? agreement(this.told) : []));
  }

  current() {
    return this.seen.find((each) => key(each) === this.chosen) ?? this.seen[0];
  }

  turn(queue) {
    this.queue = queue;
    this.chosen = null;
    this.told = null;
    return this.recall();
  }

  step(by) {
    const at = this.seen.indexOf(this.current()) + by;
    if (!this.seen[at]) return;
    this.chosen = key(this.seen[at]);
    this.show();
  }

  key(event) {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey || $("dialog").open) return;
    const name = event.key.toLowerCase();
    if (name in KEYS) this.label(KEYS[name]);
    else if (name === "h") this.turnHeat();
    else if (name === "arrowright" || name === "j") this.step(1);
    else if (name === "arrowleft" || name === "k") this.step(-1);
  }

  turnHeat() {
    this.heat = !this.heat;
    $("photo").classList.toggle("bare", !this.heat);
  }

  // says what a person sees, and goes on to the next at once: who is quick shall not wait for answers
  async label(verdict) {
    const each = this.current();
    if (!each?.evidence.image || !may("operator")) return;
    const next = this.seen[this.seen.indexOf(each) + 1];
    if (next) this.chosen = key(next);
    this.show();
    try {
      const told = await send("inspections/label", { origin: each.origin, time: each.time, verdict });
      $("relabel-error").textContent = "";
      const at = this.seen.findIndex((one) => key(one) === key(each));
      if (at >= 0) this.told.inspections[at] = told;
      this.thumbs(told);
      this.show();
      this.countAnew();
    } catch (problem) {
      this.chosen = key(each);
      this.show();
      $("relabel-error").textContent = problem instanceof TypeError ? here.t.failed : problem.message;
    }
  }

  // asks for the list and the counts when a person pauses, not after each key
  countAnew() {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => Promise.all([this.recall(), this.labelled()]), PAUSE);
  }

  // draws the small image of what was labelled anew
  thumbs(each) {
    [...$("thumbs").children].find((made) => made.dataset.key === key(each))?.remove();
  }

  thumb(each) {
    const [mark, kind] = VERDICTS[verdictOf(each)];
    const made = button(`thumb ${kind}`, "", () => {
      this.chosen = key(each) === key(this.seen[0]) ? null : key(each);
      this.show();
    });
    made.dataset.key = key(each);
    const words = `${serial(each)}: ${here.t.verdicts[verdictOf(each)]}${isDrawn(each) ? `, ${here.t.drawnByChance}` : ""}${each.label ? `, ${here.t.labelled(here.t.labels[each.label], each.person)}` : ""}`;
    made.title = words;
    const own = each.label ? element("span", `own ${LABELS[each.label][1]}`, `☺${LABELS[each.label][0]}`) : null;
    made.append(image(each.evidence.image, ""), element("span", "mark", mark), element("span", "said", words));
    if (isDrawn(each)) made.append(element("span", "chance", "◇"));
    if (own) made.append(own);
    return made;
  }

  showOne(each) {
    const { t } = here;
    const { evidence } = each;
    const verdict = verdictOf(each);
    const [mark, kind] = VERDICTS[verdict];
    $("inspection-title").textContent = `${t.inspection} · ${assetName(each.asset)}`;
    $("verdict").className = `state ${kind}`;
    $("verdict").replaceChildren(element("strong", "", `${mark} ${t.verdicts[verdict]}`));
    const numbers = [[t.score, each.value], ...limits(evidence)].filter(([, value]) => Number.isFinite(value));
    const rows = [
      [t.serial, evidence.serial ? link(evidence.serial) : t.noSerial],
      [t.inspectedAt, moment(each.time, true)],
      ...(evidence.kinds ? [[t.defect, evidence.kinds.split(", ").map((name) => t.defects[name] ?? name).join(", ")]] : []),
      ...numbers.map(([name, value]) => [name, number(value, t.locale, true)]),
      ...(verdict === "learning" ? [] : [[t.judgedBy, judge(evidence)]]),
      ...(isDrawn(each) ? [[t.whyAsked, element("span", "chance", `◇ ${t.drawnByChance}`)]] : []),
      ...(evidence.shadow ? [[t.shadowSays, shadow(evidence.shadow)]] : []),
    ];
    $("inspection-facts").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
    $("inspection-reason").textContent = isKoreanWithout(each) ? "" : say(each.reason);
    if ($("photo").dataset.key === key(each)) return;
    $("photo").dataset.key = key(each);
    const shown = image(evidence.image, `${serial(each)}: ${t.verdicts[verdict]}`);
    $("photo").replaceChildren(shown);
    shown.addEventListener("load", () => $("photo").append(marks(evidence, shown)));
  }

  showLabel(each) {
    const { t } = here;
    const judged = Boolean(each.evidence.image) && verdictOf(each) !== "learning";
    $("relabel").hidden = !judged;
    if (!judged) return;
    $("relabel-words").textContent = each.label ? t.labelled(t.labels[each.label], each.person) : t.whatIsIt;
    const buttons = Object.entries(LABELS).map(([name, [mark, kind]], n) => {
      const made = button(kind, `${mark} ${t.labels[name]}`, () => this.label(name));
      made.append(element("kbd", "", String(n + 1)));
      made.setAttribute("aria-pressed", each.label === name);
      made.disabled = !may("operator");
      made.title = made.disabled ? t.needsOperator : "";
      return made;
    });
    const menu = $("relabel").querySelector("menu");
    // who has the focus on one of the two keeps it
    const focused = [...menu.children].indexOf(document.activeElement);
    menu.replaceChildren(...buttons);
    menu.children[focused]?.focus();
    $("relabel-keys").textContent = t.labelKeys;
  }
}

function pick(words, chosen, act) {
  const made = button(chosen ? "chosen" : "", words, act);
  made.setAttribute("aria-pressed", chosen);
  return made;
}

// what could not be judged has no verdict
function verdictOf(each) {
  return each.evidence.verdict in VERDICTS ? each.evidence.verdict : "unsure";
}

// what is decided, and yet waits for a person: chosen by chance, that errors are seen
function isDrawn(each) {
  return Boolean(each.evidence.drawn) && ["pass", "reject"].includes(verdictOf(each));
}

// the limits between which a person is asked; a model that promises nothing of bad parts has one only
function limits(evidence) {
  const { t } = here;
  const [accept, reject] = [Number.parseFloat(evidence.accept), Number.parseFloat(evidence.threshold)];
  if (!evidence.model) return [[t.threshold, reject]];
  if (reject - accept < 1e-6) return [[t.threshold, reject]];
  return [...(accept >= 0 ? [[t.passesBelow, accept]] : []), ...(reject <= 1 ? [[t.rejectsAbove, reject]] : [])];
}

function judge(evidence) {
  const { t } = here;
  if (!evidence.model) return t.withoutModel;
  return t.byModel(evidence.model.split(" ").at(-1), t.stages[evidence.stage] ?? evidence.stage);
}

// told: "reject 0.934 version", or "unsure - version" where nothing was seen
function shadow(told) {
  const { t } = here;
  const [verdict, score, version] = told.split(" ");
  const [mark, kind] = VERDICTS[verdict] ?? VERDICTS.unsure;
  const value = Number.parseFloat(score);
  const words = `${mark} ${t.verdicts[verdict] ?? verdict}${Number.isFinite(value) ? ` (${number(value, t.locale, true)})` : ""}`;
  return element("span", `shadow ${kind}`, element("strong", "", words), element("span", "quiet", ` ${version ?? ""}`));
}

// the reason of a reject is in English, and its parts are told in the facts already
function isKoreanWithout(each) {
  return Boolean(each.evidence.kinds);
}

function key(each) {
  return each && `${each.origin} ${each.asset} ${each.time} ${each.evidence.image}`;
}

// the newest image, told like an inspection: while it still learns there is nothing else
function newest() {
  const images = [...known.events].filter(([, event]) => event[3] === "image").sort(([, a], [, b]) => b[1] - a[1]);
  if (!images.length) return undefined;
  const [id, [image, ms, , , data]] = images[0];
  const [name] = Object.entries(known.analyses).find(([, type]) => ["vision", "golden"].includes(type)) ?? [""];
  const reason = known.waiting[`insight.${name}`] ?? "";
  return { origin: name, asset: assetOf(id), time: new Date(ms).toISOString(), value: null, reason, label: "", evidence: { image, serial: data.serial ?? "", verdict: "learning" } };
}

function serial(each) {
  return each.evidence.serial || here.t.noSerial;
}

function link(code) {
  const made = element("a", "", code);
  made.href = `/trace/${encodeURIComponent(code)}`;
  return made;
}

function image(ref, words) {
  const made = element("img");
  made.alt = words;
  made.decoding = "async";
  made.addEventListener("error", () => made.replaceWith(element("p", "lost-image", `∅ ${here.t.imageGone}`)));
  if (ref) made.src = `/api/v1/blobs/${ref}`;
  else queueMicrotask(() => made.dispatchEvent(new Event("error")));
  return made;
}

// heat and boxes, in pixels of the image
function marks(evidence, { naturalWidth, naturalHeight }) {
  const frame = drawn("svg", { class: "marks", viewBox: `0 0 ${naturalWidth} ${naturalHeight}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (evidence.heat && evidence.corners) frame.append(heat(evidence.heat, evidence.corners));
  for (const box of (evidence.boxes ?? "").split(";")) {
    const [x, y, width, height] = box.trim().split(/[ ,]+/).map(Number);
    if ([x, y, width, height].every(Number.isFinite)) frame.append(drawn("rect", { x, y, width, height, "vector-effect": "non-scaling-stroke" }));
  }
  return frame;
}

// told: "48x24 " and a hexadecimal digit for each cell of the face, whose corners are "x y; …"
function heat(told, corners) {
  const [size, digits] = told.split(" ");
  const [columns, rows] = size.split("x").map(Number);
  const points = corners.split(";").map((point) => point.trim().split(" ").map(Number));
  const group = drawn("g", { class: "heat" });
  if (!(columns * rows === digits?.length) || points.length !== 4) return group;
  const place = (u, v) => [0, 1].map((axis) => (1 - v) * ((1 - u) * points[0][axis] + u * points[1][axis]) + v * ((1 - u) * points[3][axis] + u * points[2][axis]));
  [...digits].forEach((digit, n) => {
    const level = Number.parseInt(digit, 16);
    if (!(level >= WARM)) return;
    const [column, row] = [n % columns, Math.floor(n / columns)];
    const cell = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([x, y]) => place((column + x) / columns, (row + y) / rows).map((value) => value.toFixed(1)).join(","));
    group.append(drawn("polygon", { points: cell.join(" "), opacity: ((level / 15) * 0.65).toFixed(2) }));
  });
  return group;
}

// agreement beyond chance with its interval; 1: as if both were one
function beyondChance({ value, low, high }) {
  const told = (share) => number(Math.round(share * 100) / 100, here.t.locale);
  const made = element("span", "", element("strong", "", told(value)), ` (${told(low)} – ${told(high)})`);
  made.title = here.t.kappaWords;
  return made;
}

// how many were inspected and rejected, and how people and inspection agree
function agreement(told) {
  const { t } = here;
  const count = (n) => number(n, t.locale);
  const share = told.inspected ? ` (${percent((told.rejected / told.inspected) * 100, t.locale)} %)` : "";
  const seen = told.agreement;
  const rows = [
    [t.inspectedCount, count(told.inspected)],
    [t.rejectedCount, count(told.rejected) + share],
    ...(told.unsure ? [[t.verdicts.unsure, count(told.unsure)]] : []),
    [t.lookedAt, count(seen.looked_at)],
    ...(seen.looked_at ? [[t.agreed, count(seen.agreed)], [t.escaped, count(seen.escaped)], [t.falselyRejected, count(seen.falsely_rejected)]] : []),
    ...(seen.kappa ? [[t.kappa, beyondChance(seen.kappa)]] : []),
  ];
  return rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]);
}
