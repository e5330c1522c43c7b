// The data of one step: what was measured, seen and told at the station while the thing was there.

import { $, drawn, element } from "../dom.js";
import { number } from "../format.js";
import { assetName, get, here, moment, nameOf, unitOf } from "../shell.js";
import { look } from "../states.js";
import { Table } from "../table.js";

const MARGIN = 60000; // ms around a step, in the trend that it links to
let turn = 0;

// step: null closes it
export async function show(told, step) {
  const { t } = here;
  const mine = ++turn;
  $("trace-step").hidden = !step;
  if (!step) return;
  $("trace-step-title").textContent = assetName(step.asset);
  $("trace-step-when").textContent = step.start ? `${moment(step.start, true)} – ${moment(step.end, true)}` : `${moment(step.end, true)} · ${t.startUnknown}`;
  $("trace-step-facts").replaceChildren(...facts(step));
  $("trace-step-images").replaceChildren();
  $("trace-step-values").replaceChildren(element("p", "quiet", t.asking));
  $("trace-step-told").replaceChildren();
  const query = new URLSearchParams({ asset: step.asset, to: step.end, ...(step.start && { from: step.start }) });
  let data = null;
  try {
    data = await get(`trace/${encodeURIComponent(told.code)}/step?${query}`);
  } catch (problem) {
    if (mine === turn && $("trace-step-values")) $("trace-step-values").replaceChildren(element("p", "notice", problem.message));
    return;
  }
  if (mine !== turn || !$("trace-step")) return;
  const images = new Set([step.image, ...data.findings.flatMap(({ evidence }) => [evidence.image, evidence.heat])].filter((ref) => ref?.startsWith("sha256:")));
  $("trace-step-images").replaceChildren(...[...images].map((ref) => image(ref, told.code)));
  $("trace-step-values").replaceChildren(values(told, step, data));
  $("trace-step-told").replaceChildren(...data.findings.map(finding), ...data.events.map(event));
}

function facts(step) {
  const { t } = here;
  const parts = [
    step.order && `${t.orderWord} ${step.order}`,
    step.product && `${t.product} ${step.product}`,
    step.via && t.viaWord(step.via),
    step.into && t.intoWord(step.into),
    step.to && t.toWords(step.to),
  ].filter(Boolean);
  return [...parts.map((part) => element("span", "chip", part)), ...step.doubts.map((doubt) => element("span", "chip idle", `! ${t.doubts[doubt]}`))];
}

function image(ref, code) {
  const made = element("img");
  made.alt = here.t.imageOf(code);
  made.decoding = "async";
  made.src = `/api/v1/blobs/${ref}`;
  made.addEventListener("error", () => made.replaceWith(element("p", "lost-picture", `∅ ${here.t.pictureGone}`)));
  return made;
}

function values(told, step, data) {
  const { t } = here;
  const missing = (key) => (key === "mean" ? element("span", "quiet", `∅ ${t.noData}`) : "–");
  const figure = (key) => (row) => (row[key] === null ? missing(key) : number(row[key], t.locale, row.unit !== "1"));
  const table = new Table({
    name: `${told.code}-${step.asset}`,
    label: t.measured,
    empty: t.nothingMeasured,
    columns: [
      { key: (row) => nameOf(row.id), title: t.signal, show: (row) => trend(row, step, data) },
      { key: "minimum", title: t.least, kind: "number", show: figure("minimum") },
      { key: "mean", title: t.mean, kind: "number", show: figure("mean") },
      { key: "maximum", title: t.greatest, kind: "number", show: figure("maximum") },
      { key: (row) => unitOf(row.unit), title: t.unitWord },
      { key: (row) => row.means.filter((value) => value !== null).length, title: t.course, kind: "number", show: spark },
    ],
  });
  table.fill([...data.signals].sort((a, b) => Number(!a.count) - Number(!b.count)));
  return table.element;
}

function trend(row, step, data) {
  const from = new Date(Date.parse(data.start) - MARGIN).toISOString();
  const to = new Date(Date.parse(data.end) + MARGIN).toISOString();
  const query = new URLSearchParams({ signal: row.id, from, to });
  return Object.assign(element("a", "", nameOf(row.id)), { href: `/machine/${encodeURIComponent(step.asset)}?${query}`, title: here.t.openTrend });
}

// the course of the means; a gap where nothing was measured
function spark({ means, minimum, maximum }) {
  const known = means.filter((value) => value !== null);
  if (known.length < 2) return "–";
  const [width, height] = [120, 26];
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  let d = "";
  let pen = "M";
  means.forEach((value, n) => {
    if (value === null) return;
    d += `${pen}${((n / (means.length - 1)) * width).toFixed(1)} ${(height - 3 - ((value - low) / span) * (height - 6)).toFixed(1)}`;
    pen = "L";
  });
  const label = here.t.courseSaid(number(minimum, here.t.locale, true), number(maximum, here.t.locale, true));
  return drawn("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, drawn("path", { d }));
}

function finding({ name, end, reason, value, unit, severity, evidence }) {
  const { t } = here;
  const verdict = t.verdicts_[evidence.verdict] ?? evidence.verdict ?? "";
  const words = [verdict, evidence.kinds, reason].filter(Boolean).join(" · ");
  const figure = value === null ? "" : ` ${number(value, t.locale, true)} ${unitOf(unit)}`;
  const bad = severity > 1 || evidence.verdict === "reject";
  return element("li", bad ? "bad" : "", element("span", "quiet", moment(end, true)), ` ${bad ? "▲ " : ""}${t.findingNames[name] ?? name}${figure}${words ? ` — ${words}` : ""}`);
}

function event({ id, time, kind, value, quality }) {
  const seen = kind === "state" ? look([value, Date.parse(time), quality === "bad" ? 2 : 0]) : null;
  const words = seen ? `${seen.mark} ${seen.label}` : `${nameOf(id)}: ${value}`;
  return element("li", "", element("span", "quiet", moment(time, true)), ` ${words}`);
}
