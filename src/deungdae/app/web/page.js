// The live page: hears everything once over /live, then what changes, and shows it.

import { age, clock, isCounted, number, percent, unit } from "./format.js";
import { Plot, Series, SPAN } from "./trend.js";
import { words } from "./words.js";

const SILENCE = 12000; // ms; the server says something every 5 s
const LOGGED = 8; // last commands that are shown
const MANY = 60; // signals; a page of more is denser, with its summary above
const KPIS = ["oee", "availability", "effectiveness", "quality_ratio", "throughput_rate"];
// kind of a state by its word, after MTConnect, PackML and plain words; others are shown neutral
const STATES = {
  run: ["running", "active", "execute", "producing", "run"],
  idle: ["idle", "ready", "waiting", "starved", "blocked", "complete", "suspended", "optional_stop", "program_completed"],
  down: ["down", "fault", "failure", "failed", "aborted", "alarm", "error"],
  hold: ["setup", "held", "interrupted", "feed_hold", "stopped", "program_stopped", "maintenance", "wait"],
};
const MARKS = { run: "▶", idle: "◐", down: "■", hold: "◆", other: "●", none: "∅" };
const DOOR_MARKS = { online: "✓", degraded: "!", connecting: "…", offline: "✕", stopped: "■" };

const known = {
  signals: new Map(),
  assets: [],
  readings: new Map(),
  events: new Map(),
  machines: [],
  findings: [],
  loops: [],
  waiting: {},
  rules: {},
  outcomes: [],
};
let t = words[localStorage.getItem("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en")];
let factory = null;
let session = { look: true, act: false };
let skew = 0; // ms by which the server's clock is ahead of ours
let heard = 0; // when the server last said something, by our own steady clock
let live = false;
let socket = null;
let wait = 1000;
let shown = null; // id of the signal whose trend a person chose, or null: the loop's
let plots = [];
let stored = [];

const $ = (id) => document.getElementById(id);
const now = () => Date.now() + skew;

function element(name, kind, ...content) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...content.filter((each) => each !== null && each !== ""));
  return made;
}

function button(kind, label, act) {
  const made = element("button", kind, label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

// ---- hearing

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/live`);
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", again);
}

function again() {
  lose();
  setTimeout(connect, wait);
  wait = Math.min(wait * 1.7, 5000);
}

function lose() {
  if (!live && $("lost").hidden === false) return;
  live = false;
  document.body.classList.add("gone");
  $("lost").textContent = factory ? t.lost(clock(now(), t.locale, factory.timezone)) : t.connecting;
  $("lost").hidden = false;
}

function watch() {
  if (live && performance.now() - heard > SILENCE) socket.close();
}

async function hear(news) {
  heard = performance.now();
  wait = 1000;
  skew = news.now - Date.now();
  if (news.factory) meet(news);
  take(news);
  if (!live) {
    live = true;
    $("lost").hidden = true;
    document.body.classList.remove("gone");
    await learnSession();
  }
}

function meet(news) {
  if (factory && factory.version !== news.factory.version) location.reload();
  factory = news.factory;
  document.title = `${factory.name} — 등대`;
  $("factory").textContent = factory.name;
  document.body.classList.add("met");
  known.signals = new Map(news.signals.map((signal) => [signal.id, signal]));
  known.assets = news.assets;
  known.rules = news.rules;
  known.readings.clear();
  known.events.clear();
  speak(localStorage.getItem("language") || factory.language);
}

function take(news) {
  for (const [id, reading] of Object.entries(news.readings ?? {})) {
    known.readings.set(id, reading);
    for (const plot of plots) if (plot.series.signal.id === id) follow(plot.series, reading);
  }
  for (const [id, event] of Object.entries(news.events ?? {})) known.events.set(id, event);
  const changed = (name) => news[name] !== undefined;
  for (const name of ["machines", "findings", "loops", "waiting"]) if (changed(name)) known[name] = news[name];
  if (news.history) keep(news.history);
  if (news.gate) record(news.gate);
  if (news.factory) build();
  if (changed("machines") || news.factory) showDoors();
  if (changed("findings") || changed("waiting") || news.factory) showKpis();
  if (changed("gate") || news.factory) showGate();
  if (changed("loops") && !news.factory) showTrendHead();
  if (changed("loops") || news.factory) showAims();
}

function follow(series, [value, ms, status]) {
  series.add(ms, (status & 3) >= 2 || status & 0x10 ? null : value);
}

function keep(history) {
  stored.push([performance.now(), history.stored]);
  stored = stored.filter(([time]) => performance.now() - time < 10000);
  const [first, last] = [stored[0], stored.at(-1)];
  const seconds = (last[0] - first[0]) / 1000;
  $("stored").textContent = `${number(last[1], t.locale)} ${t.items}`;
  const rate = seconds > 1 ? (last[1] - first[1]) / seconds : null;
  $("rate").textContent = rate === null ? "–" : `${number(rate, t.locale)} ${t.perSecond}`;
  $("unkept").hidden = !history.problem;
  $("unkept").textContent = history.problem ? t.unkept(history.problem) : "";
}

function record(gate) {
  known.gate = gate;
  for (const outcome of [...gate.outcomes].reverse()) {
    const same = known.outcomes.find(
      (each) =>
        each.signal === outcome.command.signal &&
        each.result === outcome.result &&
        each.rule === outcome.rule &&
        each.origin === outcome.command.origin,
    );
    if (same && same.last.command.id === outcome.command.id) continue;
    const entry = same ?? {
      signal: outcome.command.signal,
      result: outcome.result,
      rule: outcome.rule,
      origin: outcome.command.origin,
      count: 0,
    };
    entry.count += 1;
    entry.last = outcome;
    // those that go on stay where they are: a list that jumps cannot be read
    if (!same) known.outcomes = [entry, ...known.outcomes].slice(0, LOGGED);
  }
}

// ---- words

function speak(language) {
  t = words[language];
  document.documentElement.lang = language;
  $("language").textContent = t.other;
  for (const each of document.querySelectorAll("[data-word]")) each.textContent = t[each.dataset.word];
  showSession();
}

function turnLanguage() {
  const other = t === words.ko ? "en" : "ko";
  localStorage.setItem("language", other);
  speak(other);
  if (!factory) return;
  build();
  showDoors();
  showKpis();
  showGate();
  showAims();
}

function unitOf(code) {
  return unit(code, t.annotations);
}

function nameOf(id) {
  const signal = known.signals.get(id);
  return signal?.name || id.slice(id.lastIndexOf(".") + 1);
}

function assetOf(id) {
  return id.slice(0, id.lastIndexOf("."));
}

function assetName(id) {
  return known.assets.find((asset) => asset.id === id)?.name || id;
}

// ---- machines and their signals

function build() {
  const cards = [];
  for (const asset of known.assets) {
    const signals = [...known.signals.values()].filter((signal) => assetOf(signal.id) === asset.id);
    if (signals.length) cards.push(card(asset, signals));
  }
  $("machines").replaceChildren(...cards);
  document.body.classList.toggle("many", known.signals.size > MANY);
  showTrend();
  refresh();
}

function card(asset, signals) {
  const state = signals.find((signal) => signal.kind === "state");
  const chip = element("p", "state");
  chip.dataset.state = state?.id ?? "";
  const aims = element("p", "aims quiet");
  aims.dataset.aims = asset.id;
  const rows = element("tbody");
  for (const signal of signals) {
    if (signal === state) continue;
    const name = button("link", signal.name || nameOf(signal.id), () => choose(signal.id));
    name.title = signal.id;
    name.disabled = signal.kind !== "number";
    const row = element("tr", "", element("th", "", name), element("td", "value"), element("td", "unit"), element("td", "age"));
    row.querySelector("th").scope = "row";
    row.dataset.signal = signal.id;
    row.querySelector(".unit").textContent = unitOf(signal.unit);
    rows.append(row);
  }
  const head = element("div", "head", element("h2", "", asset.name || asset.id), element("span", "push"), aims, chip);
  const made = element("article", "card machine", head, element("div", "rows", element("table", "", rows)), element("div", "doors"));
  made.dataset.asset = asset.id;
  return made;
}

function refresh() {
  if (!factory) return;
  $("clock").textContent = clock(now(), t.locale, factory.timezone);
  if (!live) return;
  for (const chip of document.querySelectorAll("[data-state]")) showState(chip);
  for (const row of document.querySelectorAll("[data-signal]")) showReading(row);
  for (const plot of plots) plot.draw(now(), plot.says());
}

function showState(chip) {
  const event = known.events.get(chip.dataset.state);
  if (!chip.dataset.state) {
    chip.replaceChildren();
    return;
  }
  const missing = !event || (event[2] & 3) >= 2 || event[0].toUpperCase() === "UNAVAILABLE";
  const word = missing ? "" : event[0].toLowerCase();
  const kind = missing ? "none" : (Object.keys(STATES).find((key) => STATES[key].includes(word)) ?? "other");
  const label = missing ? t.noData : (t.states[word] ?? event[0]);
  const since = event ? t.since(age((now() - event[1]) / 1000, t.units)) : "";
  set(chip, `state ${kind}`, `${MARKS[kind]} ${label}`, since);
}

function set(chip, kind, label, detail) {
  const key = `${kind}|${label}|${detail}`;
  if (chip.dataset.key === key) return;
  chip.dataset.key = key;
  chip.className = kind;
  chip.replaceChildren(element("strong", "", label), element("small", "", detail));
}

function showReading(row) {
  const signal = known.signals.get(row.dataset.signal);
  const [value, ms, status, kind] = latest(signal);
  const flags = ms === null ? [] : flagsOf(status);
  const gone = ms === null || (status & 3) >= 2;
  const shown_ = ms === null || (gone && value === null) ? t.noData : kind ? value : number(value, t.locale, !isCounted(signal));
  put(row.querySelector(".value"), shown_);
  const when = ms === null ? "" : age((now() - ms) / 1000, t.units);
  put(row.querySelector(".age"), flags.length ? `${flags.join(", ")} · ${when}` : when);
  row.className = gone ? "gap" : flags.length ? "doubtful" : "";
}

function latest(signal) {
  if (signal.kind === "number") return known.readings.get(signal.id) ?? [null, null, 2];
  return known.events.get(signal.id) ?? [null, null, 2, signal.kind];
}

function flagsOf(status) {
  const found = [];
  if (status & 0x10) found.push(t.flags.stale);
  if (status & 0x20) found.push(t.flags.out_of_range);
  if (status & 0x08) found.push(t.flags.clock_suspect);
  if (!found.length && (status & 3) === 1) found.push(t.flags.uncertain);
  if (!found.length && (status & 3) >= 2) found.push(t.flags.bad);
  return found;
}

function put(cell, content) {
  if (cell.textContent !== content) cell.textContent = content;
}

function showDoors() {
  const troubled = known.machines.filter((each) => each.state !== "online");
  $("summary").textContent = troubled.length ? t.troubled(troubled.length) : t.allWell;
  $("summary").className = troubled.length ? "troubled" : "well";
  $("doors").replaceChildren(
    element("ul", "", ...known.machines.map((each) => element("li", each.state, ...door(each)))),
  );
  for (const card of document.querySelectorAll(".machine")) {
    const names = new Set([...known.signals.values()].filter((s) => assetOf(s.id) === card.dataset.asset).map((s) => s.source.split(":")[0]));
    const own = known.machines.filter((each) => each.room === "machines" && names.has(each.name));
    const bad = own.filter((each) => each.state !== "online");
    card.classList.toggle("offline", own.length > 0 && own.every((each) => ["offline", "connecting", "stopped"].includes(each.state)));
    card.querySelector(".doors").replaceChildren(...bad.map((each) => element("div", `door ${each.state}`, ...trouble(each, card.dataset.asset))));
  }
}

function door(each) {
  return [
    element("span", "mark", DOOR_MARKS[each.state] ?? "?"),
    element("span", "", `${each.room}.${each.name}`),
    element("span", "quiet", each.type),
    element("span", "push"),
    element("span", "", t.doorStates[each.state] ?? each.state),
  ];
}

function trouble(each, asset) {
  const since = clock(Date.parse(each.since), t.locale, factory.timezone);
  const lines = [element("p", "", element("strong", "", `${DOOR_MARKS[each.state]} ${each.name}: ${t.doorStates[each.state]}`), ` · ${t.from(since)}`)];
  if (each.problem) lines.push(element("p", "", each.problem));
  for (const [id, problem] of Object.entries(each.signals)) {
    if (assetOf(id) === asset) lines.push(element("p", "", `${nameOf(id)}: ${problem}`));
  }
  if (each.remedy) lines.push(element("p", "quiet", `${t.remedy}: ${each.remedy}`));
  return lines;
}

// ---- the trend

function loopShown() {
  return shown === null ? known.loops[0] : undefined;
}

function choose(id) {
  shown = id;
  showTrend();
}

function showTrendHead() {
  const loop = loopShown();
  const main = loop?.measurement ?? shown ?? firstNumber();
  $("trend-title").textContent = main ? `${assetName(assetOf(main))} · ${t.trendOf}` : t.trendOf;
  $("back").hidden = shown === null || !known.loops.length;
  $("back").textContent = t.back;
  $("target").hidden = !loop || loop.source !== "";
  $("target").textContent = t.changeTarget;
  $("target").disabled = !session.act;
  $("trend-note").textContent = loop?.problem ? t.loopWaits(loop.problem) : main ? "" : t.noTrend;
}

function showAims() {
  for (const place of document.querySelectorAll("[data-aims]")) {
    const own = known.loops.filter((loop) => assetOf(loop.measurement) === place.dataset.aims && loop.set_point !== null);
    const aim = (loop) => `◎ ${nameOf(loop.measurement)} ${t.setPoint} ${number(loop.set_point, t.locale)} ${unitOf(loop.unit)}`;
    place.textContent = own.map(aim).join(" · ");
  }
}

function firstNumber() {
  return [...known.signals.values()].find((signal) => signal.kind === "number")?.id;
}

function showTrend() {
  const loop = loopShown();
  const ids = loop ? [loop.measurement, loop.output] : [shown ?? firstNumber()];
  const signals = ids.map((id) => known.signals.get(id)).filter(Boolean);
  $("plots").replaceChildren();
  plots = signals.map((signal, n) => {
    const held = signal.access === "rw";
    const target = loop && n === 0 ? () => loopShown()?.set_point ?? null : null;
    const height = signals.length === 1 ? 400 : n === 0 ? 270 : 150;
    const plot = new Plot($("plots"), { series: new Series(signal), target, height, axis: n === signals.length - 1, held });
    plot.says = () => ({ locale: t.locale, zone: factory.timezone, label: nameOf(signal.id), targetLabel: t.setPoint, unit: unitOf(signal.unit) });
    return plot;
  });
  showTrendHead();
  for (const plot of plots) fill(plot.series);
}

async function fill(series) {
  const id = encodeURIComponent(series.signal.id);
  const answer = await fetch(`/api/v1/samples?ids=${id}&from=-${SPAN + 60000}ms&every=1s&times=ns`);
  if (!answer.ok) return;
  const found = Object.values(await answer.json())[0];
  const later = series.points;
  series.points = [];
  found.start.forEach((start, n) => series.add(start / 1e6 + 500, found.count[n] ? found.mean[n] : null));
  for (const point of later) series.add(...point);
  const reading = known.readings.get(series.signal.id);
  if (reading) follow(series, reading);
}

// ---- indicators

function showKpis() {
  const assets = new Map();
  for (const finding of known.findings) {
    if (!KPIS.includes(finding.name) && finding.name !== "unknown") continue;
    const key = `${finding.origin} ${finding.asset}`;
    if (!assets.has(key)) assets.set(key, { asset: finding.asset, by: {} });
    assets.get(key).by[finding.name] = finding;
  }
  const rows = [...assets.values()].map(({ asset, by }) => kpiRow(asset, by));
  for (const [key, reason] of Object.entries(known.waiting)) {
    if (key.startsWith("insight.")) rows.push(element("p", "quiet", `${key}: ${reason}`));
  }
  for (const finding of known.findings) if (finding.severity > 1) rows.push(notice(finding));
  $("kpi-rows").replaceChildren(...(rows.length ? rows : [element("p", "quiet", t.noKpi)]));
}

function kpiRow(asset, by) {
  const any = by.oee ?? Object.values(by)[0];
  const at = (text) => clock(Date.parse(text), t.locale, factory.timezone, false);
  const head = element("h3", "", assetName(asset), element("small", "quiet", t.kpiPeriod(at(any.start), at(any.end))));
  const tiles = element("div", "tiles", ...KPIS.filter((name) => by[name]).map((name) => tile(name, by[name])));
  const parts = [head, tiles];
  const planned = Number.parseFloat(by.unknown?.evidence.PBT);
  if (by.unknown && planned > 0) {
    const share = (by.unknown.value / planned) * 100;
    if (share > 50) tiles.classList.add("unsure");
    parts.push(element("p", "unknown", element("span", "swatch"), `${t.unknown}: ${percent(share, t.locale)} % (${age(by.unknown.value, t.units)})`));
    if (by.unknown.reason) parts.push(element("p", "quiet", by.unknown.reason));
  }
  return element("div", "kpi", ...parts);
}

function tile(name, finding) {
  const shares = finding.unit === "%";
  const value = finding.value === null ? "–" : shares ? percent(finding.value, t.locale) : number(finding.value, t.locale);
  const figure = element("p", "figure", value, element("small", "", finding.value === null ? "" : unitOf(finding.unit)));
  const made = element("div", `tile ${name}`, element("p", "label", t.kpi[name]), figure);
  made.title = `${finding.evidence.formula ?? ""}\n${finding.reason}`;
  const { low, high } = finding.evidence;
  if (finding.value === null) made.append(element("p", "quiet", `${t.cannot}: ${finding.reason}`));
  else if (shares) made.append(bar(finding.value, low, high));
  if (finding.value !== null && low !== undefined) {
    const form = shares ? percent : number;
    made.append(element("p", "quiet", t.range(form(Number(low), t.locale), form(Number(high), t.locale))));
  }
  return made;
}

function bar(value, low, high) {
  const made = element("div", "bar");
  if (low !== undefined) {
    const possible = element("span", "possible");
    possible.style.left = `${clamp(low)}%`;
    possible.style.width = `${clamp(high) - clamp(low)}%`;
    made.append(possible);
  }
  const mark = element("span", "at");
  mark.style.left = `${clamp(value)}%`;
  made.append(mark);
  return made;
}

function clamp(value) {
  return Math.min(100, Math.max(0, Number(value)));
}

function notice(finding) {
  const label = finding.severity > 2 ? "■" : "◆";
  return element("p", "notice", `${label} ${assetName(finding.asset)} · ${finding.name}: ${finding.reason}`);
}

// ---- the gate

function showGate() {
  const gate = known.gate;
  const at = (text) => clock(Date.parse(text), t.locale, factory.timezone);
  const names = gate.mode === "none" ? ["none"] : ["off", "shadow", "advise", "approve", "auto"];
  $("modes").replaceChildren(
    ...names.map((name) => {
      const item = element("li", name === gate.mode ? "chosen" : "", t.modes[name]);
      if (name === gate.mode) item.setAttribute("aria-current", "true");
      return item;
    }),
  );
  $("modes").classList.toggle("blocked", Boolean(gate.killed));
  $("mode-words").textContent = gate.killed ? t.blocked : t.modeWords[gate.mode];
  $("kill").hidden = $("not-emergency").hidden = gate.mode === "none";
  $("kill").textContent = gate.killed ? t.release : t.kill;
  $("kill").className = gate.killed ? "release" : "danger";
  $("kill").disabled = !session.act;
  $("killed").hidden = !gate.killed;
  $("killed").textContent = gate.killed ? t.killedBy(gate.killed.person, gate.killed.reason, at(gate.killed.time)) : "";
  $("proposals").replaceChildren(...gate.proposals.map(proposal));
  $("held").replaceChildren(...Object.entries(gate.held).map(([id, reason]) => heldSignal(id, reason)));
  const outcomes = known.outcomes.map((each) => outcome(each, at));
  $("outcomes").replaceChildren(...(outcomes.length ? outcomes : [element("li", "quiet", t.noCommands)]));
}

function wish(command) {
  return `${nameOf(command.signal)} → ${number(command.value, t.locale)} ${unitOf(command.unit)}`;
}

function proposal(each) {
  const url = `/api/v1/proposals/${encodeURIComponent(each.command.id)}`;
  const yes = button("", t.approve, () => ask({ title: t.approveTitle, text: wish(each.command), yes: t.approve, url: `${url}/approve`, reason: false }));
  const no = button("", t.decline, () => ask({ title: t.declineTitle, text: wish(each.command), yes: t.decline, url: `${url}/decline`, reason: false }));
  yes.disabled = no.disabled = !session.act;
  return element("div", "proposal", element("p", "", element("strong", "", wish(each.command)), ` — ${t.waitsForPerson}`), element("p", "quiet", each.command.because), element("menu", "", no, yes));
}

function heldSignal(id, reason) {
  const looked = button("", t.clear, () => ask({ title: t.clearTitle, text: `${nameOf(id)}: ${reason}`, yes: t.clear, url: "/api/v1/gate/clear", body: { signal: id }, reason: false }));
  looked.disabled = !session.act;
  return element("div", "proposal", element("p", "", element("strong", "", `${t.held}: ${nameOf(id)}`)), element("p", "", reason), element("menu", "", looked));
}

function outcome(each, at) {
  const { last } = each;
  const marks = { written: "✓", held: "…", refused: "✕", failed: "!" };
  const rule = known.rules[last.rule]?.[t === words.ko ? "ko" : "en"];
  const head = element(
    "p",
    "",
    element("strong", last.result, `${marks[last.result]} ${t.results[last.result]}`),
    ` ${wish(last.command)}`,
    element("span", "push"),
    element("span", "quiet", each.count > 1 ? `${t.times(each.count)} · ${at(last.time)}` : at(last.time)),
  );
  const why = last.rule ? `${rule ?? last.rule} (${last.rule}) — ${last.reason}` : last.reason || last.command.because;
  return element("li", last.result, head, element("p", "quiet", `${last.command.origin.replace("person:", "")}: ${why}`));
}

// ---- acting

async function learnSession() {
  const answer = await fetch("/api/v1/session");
  if (answer.ok) session = await answer.json();
  showSession();
  if (factory) {
    showTrendHead();
    showGate();
  }
  if (location.hash === "#used" && !session.act) {
    history.replaceState(null, "", "/");
    login(t.loginUsed);
  } else if (!session.look) login(t.loginText);
}

function showSession() {
  $("person").textContent = session.act ? `● ${t.mayAct}` : `○ ${t.lookOnly}`;
}

function login(text_) {
  ask({ title: t.loginTitle, text: text_, yes: t.login, url: "/api/v1/session", fields: [["token", t.token, "password"]], person: false, reason: false, done: () => location.reload() });
}

function ask({ title, text: text_, yes, url, body = {}, fields = [], person = true, reason = true, done = () => {} }) {
  const dialog = $("dialog");
  $("dialog-title").textContent = title;
  $("dialog-text").textContent = text_;
  $("dialog-error").textContent = "";
  $("dialog-yes").textContent = yes;
  $("dialog-no").textContent = t.cancel;
  const all = [...fields];
  if (person) all.push(["person", t.person, "text"]);
  if (reason) all.push(["reason", t.reason, "text"]);
  $("dialog-fields").replaceChildren(...all.map(field));
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const given = { ...body };
    for (const [name, , kind] of all) {
      const value = $(`field-${name}`).value.trim();
      given[name] = kind === "number" ? Number(value) : value;
    }
    if (person) localStorage.setItem("person", given.person);
    const problem = await post(url, given);
    if (problem) $("dialog-error").textContent = problem;
    else {
      dialog.close();
      done();
    }
  };
  dialog.showModal();
}

function field([name, label, kind, value]) {
  const input = element("input");
  input.id = `field-${name}`;
  input.type = kind;
  input.required = true;
  input.autocomplete = "off";
  if (kind === "number") input.step = "any";
  input.value = value ?? (name === "person" ? (localStorage.getItem("person") ?? "") : "");
  return element("label", "", label, input);
}

async function post(url, body) {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Deungdae": "1" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return "";
    const problem = await answer.json();
    return [problem.error, problem.remedy].filter(Boolean).join(" — ");
  } catch {
    return t.failed;
  }
}

function killOrRelease() {
  if (known.gate.killed) ask({ title: t.releaseTitle, text: t.releaseText, yes: t.release, url: "/api/v1/gate/release", reason: false });
  else ask({ title: t.killTitle, text: t.killText, yes: t.kill, url: "/api/v1/gate/kill" });
}

function changeTarget() {
  const loop = loopShown();
  const value = ["set_point", `${t.setPoint} (${unitOf(loop.unit)})`, "number", loop.set_point];
  ask({ title: t.targetTitle(nameOf(loop.measurement)), text: t.targetText, yes: t.apply, url: `/api/v1/loops/${loop.name}`, fields: [value] });
}

$("language").addEventListener("click", turnLanguage);
$("person").addEventListener("click", () => session.act || login(t.loginText));
$("kill").addEventListener("click", killOrRelease);
$("target").addEventListener("click", changeTarget);
$("back").addEventListener("click", () => choose(null));
$("dialog-no").addEventListener("click", () => $("dialog").close());
setInterval(refresh, 250);
setInterval(watch, 1000);
speak(t === words.ko ? "ko" : "en");
learnSession();
connect();
