// Control charts: each point beside its centre line and limits, and which rule was broken where.

import { $, button, drawn, element, lettered, onResize } from "../dom.js";
import { number } from "../format.js";
import { savable } from "../picture.js";
import { say } from "../said.js";
import { analyses, assetName, at, findings, get, here, nameOf, unitOf } from "../shell.js";

const POINTS = 100;
const HEIGHT = 280;
const BOX = { left: 62, right: 74, top: 14, bottom: 30 };
const TOLD = 3; // violations that are told in words

export class Chart {
  constructor() {
    this.charts = new Map(); // origin -> findings in order of time
    this.chosen = null;
    onResize($("chart"), () => this.draw());
  }

  async build() {
    $("control").hidden = !analyses("spc");
    if ($("control").hidden) return;
    $("control-save").replaceChildren(savable($("chart"), here.t.control));
    this.show();
    const told = await get(`findings?name=control&from=-2d&limit=${POINTS * 8}`).catch(() => []);
    for (const finding of told) this.add(finding);
    for (const finding of findings("control")) this.add(finding);
    this.show();
  }

  take(changed) {
    if (!changed("findings") || changed("factory")) return;
    const before = this.length();
    for (const finding of findings("control")) this.add(finding);
    if (this.length() !== before) this.show();
  }

  length() {
    return [...this.charts.values()].map((points) => points.at(-1).end).join();
  }

  // in any order: what is remembered may come after what is new
  add(finding) {
    if (finding.value === null) return;
    const points = (this.charts.get(finding.origin) ?? []).filter((point) => point.end !== finding.end);
    points.push(finding);
    points.sort((a, b) => Date.parse(a.end) - Date.parse(b.end));
    this.charts.set(finding.origin, points.slice(-POINTS));
  }

  show() {
    const origins = [...this.charts.keys()];
    if (!this.charts.has(this.chosen)) this.chosen = origins.find((origin) => this.charts.get(origin).at(-1).severity > 1) ?? origins[0] ?? null;
    const picks = origins.length > 1 ? origins.map((origin) => this.pick(origin)) : [];
    $("control-picks").replaceChildren(...picks);
    this.draw();
  }

  pick(origin) {
    const last = this.charts.get(origin).at(-1);
    const made = button(origin === this.chosen ? "chosen" : "", `${last.severity > 1 ? "◆ " : ""}${titleOf(last)}`, () => {
      this.chosen = origin;
      this.show();
    });
    made.setAttribute("aria-pressed", origin === this.chosen);
    return made;
  }

  draw() {
    const { t } = here;
    const points = this.charts.get(this.chosen) ?? [];
    $("control-empty").textContent = points.length ? "" : t.noChart;
    for (const place of ["chart", "control-verdict", "control-save"]) $(place).toggleAttribute("hidden", !points.length);
    if (!points.length) return;
    const last = points.at(-1);
    const broken = points.filter((point) => point.severity > 1);
    $("control-title").textContent = titleOf(last);
    $("control-verdict").className = `chip ${last.severity > 1 ? "down" : "run"}`;
    $("control-verdict").textContent = last.severity > 1 ? `◆ ${t.outOfControl}` : `✓ ${t.inControl}`;
    chart($("chart"), points);
    $("control-told").replaceChildren(...broken.slice(-TOLD).reverse().map((point) => element("li", "", element("strong", "", `◆ ${at(point.end)}`), ` ${rulesOf(point)}`)));
  }
}

function titleOf(finding) {
  const signal = finding.evidence.signal;
  return `${assetName(finding.asset)} · ${signal ? nameOf(signal) : finding.origin}`;
}

// which rules a point breaks, in words; one that we have no words for says what the analysis says
function rulesOf(point) {
  const names = (point.evidence.rules ?? point.evidence.rule ?? "").split(", ").filter(Boolean);
  const rules = names.map((name) => here.t.rules[name] ?? name).join(" · ");
  if (point.evidence.chart !== "t2") return rules || say(point.reason);
  const signals = point.reason.split("; ").slice(1).join("; "); // that make T² large
  return [rules, say(signals)].filter(Boolean).join(": ");
}

function chart(svg, points) {
  const { t } = here;
  const width = svg.clientWidth || 600;
  const box = { left: BOX.left, right: width - BOX.right, top: BOX.top, bottom: HEIGHT - BOX.bottom };
  const values = points.map((point) => point.value);
  const limit = (name) => points.map((point) => Number(point.evidence[name]));
  const [centre, low, high] = [limit("cl"), limit("lcl"), limit("ucl")];
  const all = [...values, ...low, ...high].filter(Number.isFinite);
  const margin = (Math.max(...all) - Math.min(...all)) * 0.08 || 1;
  const [bottom, top] = [Math.min(...all) - margin, Math.max(...all) + margin];
  const x = (n) => box.left + ((n + 0.5) / Math.max(points.length, 12)) * (box.right - box.left);
  const y = (value) => box.bottom - ((value - bottom) / (top - bottom)) * (box.bottom - box.top);
  const parts = [];
  for (const [kind, limits, label] of [["limit", high, "UCL"], ["centre", centre, "CL"], ["limit", low, "LCL"]]) {
    if (!Number.isFinite(limits.at(-1))) continue;
    const d = limits.map((value, n) => `${n ? "L" : "M"}${x(n - 0.5).toFixed(1)} ${y(value).toFixed(1)}H${x(n + 0.5).toFixed(1)}`).join("");
    parts.push(drawn("path", { class: kind, d: `${d}H${box.right}` }));
    parts.push(lettered("tick", box.right + 8, y(limits.at(-1)) + 5, label));
    parts.push(lettered("tick end", box.left - 8, y(limits.at(-1)) + 5, number(limits.at(-1), t.locale)));
  }
  parts.push(drawn("path", { class: "line", d: values.map((value, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("") }));
  points.forEach((point, n) => parts.push(spot(point, x(n), y(point.value))));
  const last = points.length - 1;
  const ends = [0, Math.floor(last / 2), last].filter((n, i, all) => i === 2 || x(all[i + 1]) - x(n) > 110);
  for (const n of ends) parts.push(lettered(`tick ${n ? "middle" : ""}`, x(n), HEIGHT - 8, at(points[n].end)));
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  svg.setAttribute("aria-label", `${titleOf(points.at(-1))}: ${points.at(-1).severity > 1 ? t.outOfControl : t.inControl}`);
  svg.replaceChildren(...parts);
}

function spot(point, x, y) {
  const words = `${at(point.end)}  ${number(point.value, here.t.locale, true)} ${unitOf(point.unit)}${point.severity > 1 ? ` — ${rulesOf(point)}` : ""}`;
  const title = drawn("title", {}, words);
  if (point.severity > 1) return drawn("path", { class: "broken", d: `M${x} ${y - 8}L${x + 8} ${y}L${x} ${y + 8}L${x - 8} ${y}z` }, title);
  return drawn("circle", { class: "point", cx: x, cy: y, r: 3.5 }, title);
}
