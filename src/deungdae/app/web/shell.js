// What every page stands in: what is known, how it is heard, language, leave to act, dialogs.
//
// A page is made of parts. Each may have build(), called when everything must be drawn anew: at
// first, after a reload and in another language; take(changed), called with a function that says
// whether news of a name came; and tick(), called four times a second.

import { $, button, element } from "./dom.js";
import { clock, unit } from "./format.js";
import { words } from "./words.js";

const SILENCE = 12000; // ms; the server says something every 5 s

export const known = {
  signals: new Map(),
  assets: [],
  readings: new Map(),
  events: new Map(),
  machines: [],
  findings: [],
  loops: [],
  waiting: {},
  rules: {},
  analyses: {},
  lines: {},
  twins: {},
  gate: null,
  history: null,
};

// t: the words; factory: who it is, once known; session: what this browser may do
export const here = {
  t: words[localStorage.getItem("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en")],
  factory: null,
  session: { look: true, act: false },
  live: false,
};

let parts = [];
let skew = 0; // ms by which the server's clock is ahead of ours
let heard = 0; // when the server last said something, by our own steady clock
let socket = null;
let wait = 1000;

export const now = () => Date.now() + skew;

// path: of this page, told in the navigation
export function start(path, ...own) {
  parts = own;
  frame(path);
  speak(isKorean() ? "ko" : "en");
  setInterval(tick, 250);
  setInterval(watch, 1000);
  learnSession();
  connect();
}

function each(method, ...given) {
  for (const part of parts) part[method]?.(...given);
}

// ---- the frame of the page

function frame(path) {
  const mark = element("img");
  Object.assign(mark, { src: "/page/lighthouse.svg", alt: "", width: 28, height: 28 });
  const places = element("nav");
  for (const [to, word] of [["/", "factory"], ["/twin", "twin"]]) {
    const link = element("a");
    link.href = to;
    link.dataset.word = word;
    link.id = `to-${word}`;
    if (to === path) link.setAttribute("aria-current", "page");
    places.append(link);
  }
  places.hidden = true;
  const summary = named("p", "summary");
  summary.setAttribute("role", "status");
  const bar = element("header", "", mark, named("h1", "factory"), places, summary, element("span", "push"), named("time", "clock"));
  const person = button("", "", () => here.session.act || login(here.t.loginText));
  const language = button("", "", turnLanguage);
  person.id = "person";
  language.id = "language";
  bar.append(person, language);
  const alerts = ["lost", "killed", "unkept"].map((id) => {
    const made = named("p", id);
    made.setAttribute("role", "alert");
    made.hidden = true;
    return made;
  });
  document.body.prepend(bar, ...alerts);
  document.body.append(dialog());
}

function named(name, id) {
  const made = element(name);
  made.id = id;
  return made;
}

function dialog() {
  const error = named("p", "dialog-error");
  error.setAttribute("role", "alert");
  const no = button("", "", () => $("dialog").close());
  no.id = "dialog-no";
  const yes = element("button");
  yes.id = "dialog-yes";
  const form = element("form", "", named("h2", "dialog-title"), named("p", "dialog-text"), named("div", "dialog-fields"), error, element("menu", "", no, yes));
  form.method = "dialog";
  const made = element("dialog", "", form);
  made.id = "dialog";
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
  if (!here.live && $("lost").hidden === false) return;
  here.live = false;
  document.body.classList.add("gone");
  $("lost").textContent = here.factory ? here.t.lost(clock(now(), here.t.locale, here.factory.timezone)) : here.t.connecting;
  $("lost").hidden = false;
}

function watch() {
  if (here.live && performance.now() - heard > SILENCE) socket.close();
}

async function hear(news) {
  heard = performance.now();
  wait = 1000;
  skew = news.now - Date.now();
  if (news.factory) meet(news);
  take(news);
  if (!here.live) {
    here.live = true;
    $("lost").hidden = true;
    document.body.classList.remove("gone");
    await learnSession();
  }
}

function meet(news) {
  if (here.factory && here.factory.version !== news.factory.version) location.reload();
  here.factory = news.factory;
  document.title = `${news.factory.name} — 등대`;
  $("factory").textContent = news.factory.name;
  document.body.classList.add("met");
  known.signals = new Map(news.signals.map((signal) => [signal.id, signal]));
  known.assets = news.assets;
  known.rules = news.rules;
  known.analyses = news.analyses;
  known.lines = news.lines;
  known.readings.clear();
  known.events.clear();
  $("to-factory").parentElement.hidden = !Object.keys(news.lines).length;
  speak(localStorage.getItem("language") || news.factory.language);
}

function take(news) {
  for (const [id, reading] of Object.entries(news.readings ?? {})) known.readings.set(id, reading);
  for (const [id, event] of Object.entries(news.events ?? {})) known.events.set(id, event);
  for (const name of ["machines", "findings", "loops", "waiting", "gate", "history", "twins"]) {
    if (news[name] !== undefined) known[name] = news[name];
  }
  each("take", (name) => news[name]);
  if (news.machines || news.factory) summarise();
  if (news.gate || news.factory) warn();
  if (news.history) unkept();
  if (news.factory) each("build");
}

function summarise() {
  const troubled = known.machines.filter((door) => door.state !== "online");
  $("summary").textContent = troubled.length ? here.t.troubled(troubled.length) : here.t.allWell;
  $("summary").className = troubled.length ? "troubled" : "well";
}

function warn() {
  const killed = known.gate?.killed;
  $("killed").hidden = !killed;
  $("killed").textContent = killed ? here.t.killedBy(killed.person, killed.reason, at(killed.time)) : "";
}

function unkept() {
  const { problem } = known.history;
  $("unkept").hidden = !problem;
  $("unkept").textContent = problem ? here.t.unkept(problem) : "";
}

function tick() {
  if (!here.factory) return;
  $("clock").textContent = clock(now(), here.t.locale, here.factory.timezone);
  if (here.live) each("tick");
}

// ---- words

export function isKorean() {
  return here.t === words.ko;
}

function speak(language) {
  here.t = words[language];
  document.documentElement.lang = language;
  $("language").textContent = here.t.other;
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = here.t[place.dataset.word];
  showSession();
}

function turnLanguage() {
  const other = isKorean() ? "en" : "ko";
  localStorage.setItem("language", other);
  speak(other);
  if (!here.factory) return;
  summarise();
  warn();
  each("build");
}

export function unitOf(code) {
  return unit(code, here.t.annotations);
}

export function nameOf(id) {
  const signal = known.signals.get(id);
  return signal?.name || id.slice(id.lastIndexOf(".") + 1);
}

export function assetOf(id) {
  return id.slice(0, id.lastIndexOf("."));
}

export function assetName(id) {
  return known.assets.find((asset) => asset.id === id)?.name || id;
}

// text: ISO 8601, as the API tells times
export function at(text, seconds = true) {
  return clock(Date.parse(text), here.t.locale, here.factory.timezone, seconds);
}

// the findings of a name, newest of each analysis and asset
export function findings(name) {
  return known.findings.filter((finding) => finding.name === name);
}

// whether the factory has an analysis of a type
export function analyses(type) {
  return Object.values(known.analyses).includes(type);
}

// ---- asking and acting

// returns the answer, or throws an Error that says in words why there is none
export async function get(path, options) {
  const answer = await fetch(`/api/v1/${path}`, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error([told.error, told.remedy].filter(Boolean).join(" — "));
  return told;
}

export function send(path, body) {
  const headers = { "Content-Type": "application/json", "X-Deungdae": "1" };
  return get(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function learnSession() {
  try {
    here.session = await get("session");
  } catch {
    return; // the connection is gone, and that is told already
  }
  showSession();
  if (here.factory) each("take", (name) => name === "session");
  if (location.hash === "#used" && !here.session.act) {
    history.replaceState(null, "", location.pathname);
    login(here.t.loginUsed);
  } else if (!here.session.look) login(here.t.loginText);
}

function showSession() {
  $("person").textContent = here.session.act ? `● ${here.t.mayAct}` : `○ ${here.t.lookOnly}`;
}

function login(text) {
  const { t } = here;
  const fields = [["token", t.token, "password"]];
  ask({ title: t.loginTitle, text, yes: t.login, path: "session", fields, person: false, reason: false, done: () => location.reload() });
}

// asks a person in a dialog and sends what was given; fields: [name, label, kind, value]
export function ask({ title, text, yes, path, body = {}, fields = [], person = true, reason = true, done = () => {} }) {
  const box = $("dialog");
  $("dialog-title").textContent = title;
  $("dialog-text").textContent = text;
  $("dialog-error").textContent = "";
  $("dialog-yes").textContent = yes;
  $("dialog-no").textContent = here.t.cancel;
  const all = [...fields];
  if (person) all.push(["person", here.t.person, "text"]);
  if (reason) all.push(["reason", here.t.reason, "text"]);
  $("dialog-fields").replaceChildren(...all.map(field));
  box.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const given = { ...body };
    for (const [name, , kind] of all) {
      const value = $(`field-${name}`).value.trim();
      given[name] = kind === "number" ? Number(value) : value;
    }
    if (person) localStorage.setItem("person", given.person);
    try {
      await send(path, given);
    } catch (problem) {
      $("dialog-error").textContent = problem instanceof TypeError ? here.t.failed : problem.message;
      return;
    }
    box.close();
    done();
  };
  box.showModal();
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
