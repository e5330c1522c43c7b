// What the camera saw last: the image with what was found on it, and those before.

import { $, button, drawn, element } from "../dom.js";
import { number, percent } from "../format.js";
import { analyses, assetName, assetOf, at, findings, get, here, known } from "../shell.js";

const SHOWN = 12;
const KEPT = 200; // of which the reject share is told
const VERDICTS = { pass: ["✓", "run"], reject: ["✕", "down"], unsure: ["?", "idle"], learning: ["…", "hold"] };
const AGAIN = 1500; // ms between two looks at what was missed, at least

export class Inspection {
  constructor() {
    this.seen = []; // newest first
    this.chosen = null; // the key of the one that a person picked, or null: the newest
    this.asked = 0;
  }

  async build() {
    $("inspection").hidden = !analyses("vision");
    if ($("inspection").hidden) return;
    this.show();
    await this.recall();
  }

  take(changed) {
    if (changed("factory") || $("inspection").hidden) return;
    if (!this.seen.length && (changed("events") || changed("waiting"))) this.show();
    if (!changed("findings")) return;
    const last = findings("inspection").sort((a, b) => Date.parse(b.end) - Date.parse(a.end))[0];
    if (!last || key(last) === key(this.seen[0])) return;
    this.seen = [last, ...this.seen].slice(0, KEPT);
    this.show();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.recall(), Math.max(0, this.asked + AGAIN - performance.now()));
  }

  // takes in what came between two news: only the newest of each kind is told at once
  async recall() {
    this.asked = performance.now();
    const told = await get(`findings?name=inspection&from=-2h&limit=${KEPT}`).catch(() => []);
    const all = new Map([...told, ...this.seen].map((each) => [key(each), each]));
    this.seen = [...all.values()].sort((a, b) => Date.parse(b.end) - Date.parse(a.end)).slice(0, KEPT);
    this.show();
  }

  show() {
    const { t } = here;
    const chosen = this.seen.find((each) => key(each) === this.chosen) ?? this.seen[0] ?? newest();
    $("inspection-empty").textContent = chosen ? "" : t.noImage;
    $("inspected").hidden = !chosen;
    if (!chosen) return;
    showOne(chosen);
    $("reject-share").replaceChildren(...share(this.seen));
    const kept = new Map([...$("thumbs").children].map((each) => [each.dataset.key, each]));
    $("thumbs").replaceChildren(...this.seen.slice(0, SHOWN).map((each) => kept.get(key(each)) ?? this.thumb(each)));
    for (const each of $("thumbs").children) each.setAttribute("aria-pressed", each.dataset.key === key(chosen));
  }

  thumb(finding) {
    const verdict = verdictOf(finding);
    const [mark, kind] = VERDICTS[verdict];
    const made = button(`thumb ${kind}`, "", () => {
      this.chosen = key(finding) === key(this.seen[0]) ? null : key(finding);
      this.show();
    });
    made.dataset.key = key(finding);
    const words = `${serial(finding)}: ${here.t.verdicts[verdict]}`;
    made.title = words;
    made.append(image(finding.evidence.image, ""), element("span", "mark", mark), element("span", "said", words));
    return made;
  }
}

// what could not be judged has no verdict
function verdictOf(finding) {
  return finding.evidence.verdict in VERDICTS ? finding.evidence.verdict : "unsure";
}

function key(finding) {
  return finding && `${finding.origin} ${finding.asset} ${finding.end} ${finding.evidence.image}`;
}

// the newest image, told like a finding: while an inspection still learns there is nothing else
function newest() {
  const images = [...known.events].filter(([, event]) => event[3] === "image").sort(([, a], [, b]) => b[1] - a[1]);
  if (!images.length) return undefined;
  const [id, [image, ms, , , data]] = images[0];
  const [name] = Object.entries(known.analyses).find(([, type]) => type === "vision");
  const reason = known.waiting[`insight.${name}`] ?? "";
  return { origin: name, asset: assetOf(id), end: new Date(ms).toISOString(), value: null, reason, evidence: { image, serial: data.serial ?? "", verdict: "learning" } };
}

function serial(finding) {
  return finding.evidence.serial || here.t.noSerial;
}

function showOne(finding) {
  const { t } = here;
  const { evidence } = finding;
  const verdict = verdictOf(finding);
  const [mark, kind] = VERDICTS[verdict];
  $("inspection-title").textContent = `${t.inspection} · ${assetName(finding.asset)}`;
  $("verdict").className = `state ${kind}`;
  $("verdict").replaceChildren(element("strong", "", `${mark} ${t.verdicts[verdict]}`));
  const numbers = [[t.score, finding.value], [t.threshold, Number.parseFloat(evidence.threshold)]].filter(([, value]) => Number.isFinite(value));
  const rows = [
    [t.serial, serial(finding)],
    [t.inspectedAt, at(finding.end)],
    ...(evidence.kinds ? [[t.defect, evidence.kinds.split(", ").map((each) => t.defects[each] ?? each).join(", ")]] : []),
    ...numbers.map(([name, value]) => [name, number(value, t.locale, true)]),
  ];
  $("inspection-facts").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  $("inspection-reason").textContent = finding.reason;
  if ($("photo").dataset.key === key(finding)) return;
  $("photo").dataset.key = key(finding);
  const words = `${serial(finding)}: ${t.verdicts[verdict]}`;
  const shown = image(evidence.image, words);
  const layers = [shown];
  if (evidence.heat) {
    const heat = image(evidence.heat, "");
    heat.className = "heat";
    layers.push(heat);
  }
  if (evidence.boxes) shown.addEventListener("load", () => $("photo").append(boxes(evidence.boxes, shown)));
  $("photo").replaceChildren(...layers);
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

// told: "x y width height" in pixels of the image, one after another with ";"
function boxes(told, { naturalWidth, naturalHeight }) {
  const frame = drawn("svg", { class: "boxes", viewBox: `0 0 ${naturalWidth} ${naturalHeight}`, "aria-hidden": "true" });
  for (const box of told.split(";")) {
    const [x, y, width, height] = box.trim().split(/[ ,]+/).map(Number);
    if ([x, y, width, height].every(Number.isFinite)) frame.append(drawn("rect", { x, y, width, height, "vector-effect": "non-scaling-stroke" }));
  }
  return frame;
}

// the share of rejected ones among the latest that were judged
function share(seen) {
  const { t } = here;
  const judged = seen.map(verdictOf).filter((verdict) => verdict === "pass" || verdict === "reject");
  const bad = judged.filter((verdict) => verdict === "reject").length;
  if (!judged.length) return [];
  return [element("strong", "", `${percent((bad / judged.length) * 100, t.locale)} %`), ` ${t.rejectShare} · ${t.ofLast(bad, judged.length)}`];
}
