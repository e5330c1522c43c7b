// What every page stands in: what is known, how it is heard, language, leave to act, dialogs.
//
// A page is a folder (places.js). Its page.js gives a function that makes the page's parts anew each
// time it is opened, from what stands behind its name in the address. Each part may have build(),
// called when everything must be drawn anew: at first, after a reload and in another language;
// take(changed), called with a function that says whether news of a name came; tick(), called four
// times a second; and leave(), called before another page takes its place.

import { ring } from "./bell.js";
import { $, button, drawn, element } from "./dom.js";
import { clock, day, unit } from "./format.js";
import { Login, PersonMenu, session } from "./login.js";
import { placeOf, places } from "./places.js";
import { say } from "./said.js";
import { words } from "./words.js";

const SILENCE = 12000; // ms; the server says something every 5 s
const FEW = 500; // signals; the readings of so many are told to every page
const LARGEST = 100_000; // characters of what the server is asked to tell
const ALL = JSON.stringify({ watch: null });
// what is told by change: the things of a name that are the same by these
const SAME = { machines: ["room", "name"], findings: ["origin", "asset", "name"] };
const ROLES = ["viewer", "operator", "engineer", "administrator"]; // each may what those before may
const REFUSED = 1008; // of a websocket: who hears is not logged in
const THEMES = ["auto", "light", "dark"];

export const known = {
  signals: new Map(),
  assets: [],
  readings: new Map(),
  events: new Map(),
  machines: [],
  findings: [],
  loops: [],
  alarms: null,
  waiting: {},
  rules: {},
  analyses: {},
  lines: {},
  layout: {}, // where equipment stands on the plan: { asset: [x, y] }
  twins: {},
  gate: null,
  history: null,
};

// t: the words; factory: who it is, once known; session: who looks, and with which role
export const here = {
  t: {},
  factory: null,
  session: { user: "", name: "", role: "" },
  live: false,
};

let language = localStorage.getItem("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en");
let place = null; // of the page that is open
let own = { ko: {}, en: {} }; // its words
let parts = [];
let opening = 0;
let skew = 0; // ms by which the server's clock is ahead of ours
let heard = 0; // when the server last said something, by our own steady clock
let socket = null;
let wait = 1000;
let ticked = 0; // when the parts last ticked, by the same clock
let wanted = null; // ids of the signals that the page shows, or null for all
let agreed = ALL; // what the server was last asked to tell
let narrowing = 0;
let entering = null; // until whoever must log in has

const login = new Login(() => language, turnLanguage);
const menu = new PersonMenu($("person"), async () => entered(await login.change(here.session)));

export const now = () => Date.now() + skew;

function each(method, ...given) {
  for (const part of parts) part[method]?.(...given);
}

// ---- the frame of the page

function frame() {
  for (const to of places) {
    if (to.hidden) continue;
    const link = element("a", "", drawn("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, drawn("path", { d: to.icon })), element("span"));
    link.href = to === places[0] ? "/" : `/${to.name}`;
    link.id = `to-${to.name}`;
    $("places").append(link);
  }
  $("person").addEventListener("click", () => here.session.user || enter({ closable: true }));
  $("language").addEventListener("click", turnLanguage);
  $("theme").addEventListener("click", turnTheme);
  $("kill").addEventListener("click", killOrRelease);
  $("dialog-no").addEventListener("click", () => $("dialog").close());
  document.addEventListener("click", follow);
  addEventListener("popstate", () => open());
  showTheme();
}

// a link to another page of ours opens it without loading everything anew
function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.target || link.hasAttribute("download")) return;
  const to = new URL(link.getAttribute("href") ?? link.href, location.href);
  if (to.origin !== location.origin || /^\/(api|page)\//.test(to.pathname) || (to.pathname === location.pathname && to.hash)) return;
  event.preventDefault();
  go(to.pathname + to.search + to.hash);
}

// address: of a page of ours, e.g. "/machine/press-2?signal=press-2.force"
export function go(address) {
  history.pushState(null, "", address);
  return open();
}

async function open() {
  const turn = ++opening;
  const [to, rest] = placeOf(location.pathname);
  let loaded;
  try {
    loaded = await load(`/page/${to.name}`);
  } catch {
    if (turn === opening) $("page").replaceChildren(element("p", "card", here.t.noPage), button("", here.t.again, () => location.reload()));
    return;
  }
  if (turn !== opening) return; // a newer click was quicker
  const [module, catalogue, html] = loaded;
  each("leave");
  parts = [];
  wanted = null;
  place = to;
  own = catalogue.words;
  $("page").innerHTML = html; // a file of ours: nothing of the plant is in it
  document.body.dataset.page = to.name;
  for (const link of $("places").children) {
    if (link.id === `to-${to.name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  speak(language);
  parts = module.default(rest);
  if (here.factory) build();
  tick(); // what a part asks for when it ticks comes at once
  scrollTo(0, 0);
}

function load(folder) {
  const html = fetch(`${folder}/page.html`).then((answer) => answer.text());
  return Promise.all([import(`${folder}/page.js`), import(`${folder}/words.js`), html, style(`${folder}/page.css`)]);
}

// loads the style of a page; those of other pages do not hold for it
function style(path) {
  const all = [...document.querySelectorAll("link[data-own]")];
  for (const link of all) link.disabled = link.getAttribute("href") !== path;
  if (all.some((link) => !link.disabled)) return null;
  const link = element("link");
  Object.assign(link, { rel: "stylesheet", href: path });
  link.dataset.own = "";
  document.head.append(link);
  return new Promise((done, fail) => {
    link.addEventListener("load", done);
    link.addEventListener("error", () => {
      link.remove();
      fail(new Error(path));
    });
  });
}

// ---- hearing

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  agreed = ALL;
  socket = new WebSocket(`${scheme}://${location.host}/live`);
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", again);
}

async function again(event) {
  if (event.code === REFUSED) {
    here.live = false;
    document.body.classList.add("gone");
    await enter({ note: "expired" });
    connect();
    return;
  }
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

function attend() {
  if (here.live && performance.now() - heard > SILENCE) socket.close();
}

function hear(news) {
  heard = performance.now();
  wait = 1000;
  skew = news.now - Date.now();
  if (news.factory) meet(news);
  take(news);
  if (!here.live) {
    here.live = true;
    $("lost").hidden = true;
    document.body.classList.remove("gone");
  }
}

// says which signals the page shows: where there are very many only these are told
export function watch(ids) {
  wanted ??= new Set();
  for (const id of ids) wanted.add(id);
  narrow();
}

function narrow() {
  clearTimeout(narrowing);
  narrowing = setTimeout(() => {
    if (socket?.readyState !== WebSocket.OPEN || known.signals.size <= FEW) return;
    const wish = wanted ? JSON.stringify({ watch: [...wanted] }) : ALL;
    const said = wish.length > LARGEST ? ALL : wish;
    if (said !== agreed) socket.send(said);
    agreed = said;
  });
}

function build() {
  each("build");
  narrow();
}

function meet(news) {
  if (here.factory && here.factory.version !== news.factory.version) location.reload();
  here.factory = news.factory;
  $("factory").textContent = news.factory.name;
  document.body.classList.add("met");
  known.signals = new Map(news.signals.map((signal) => [signal.id, signal]));
  known.assets = news.assets;
  known.rules = news.rules;
  known.analyses = news.analyses;
  known.lines = news.lines;
  known.layout = news.layout;
  for (const name of Object.keys(SAME)) known[name] = [];
  known.readings.clear();
  known.events.clear();
  speak(localStorage.getItem("language") || news.factory.language);
}

function take(news) {
  for (const [id, reading] of Object.entries(news.readings ?? {})) known.readings.set(id, reading);
  for (const [id, event] of Object.entries(news.events ?? {})) known.events.set(id, event);
  for (const name of Object.keys(SAME)) if (news[name]) known[name] = merged(name, news[name]);
  for (const name of ["loops", "alarms", "waiting", "gate", "history", "twins"]) {
    if (news[name] !== undefined) known[name] = news[name];
  }
  each("take", (name) => news[name]);
  if (news.machines || news.factory) summarise();
  if (news.gate || news.factory) warn();
  if (news.history) unkept();
  if (news.alarms || news.factory) ring();
  if (news.factory) build();
  else tick();
}

function merged(name, changed) {
  const key = (thing) => SAME[name].map((field) => thing[field]).join("\n");
  const all = new Map(known[name].map((thing) => [key(thing), thing]));
  for (const thing of changed) all.set(key(thing), thing);
  return [...all.values()];
}

function summarise() {
  const troubled = known.machines.filter((door) => door.state !== "online");
  $("summary").textContent = troubled.length ? here.t.troubled(troubled.length) : here.t.allWell;
  $("summary").className = troubled.length ? "troubled" : "well";
}

function warn() {
  const { t } = here;
  const { gate } = known;
  const killed = gate?.killed;
  $("killed").hidden = !killed;
  $("killed").textContent = killed ? t.killedBy(killed.person, killed.reason, at(killed.time)) : "";
  $("kill").hidden = !gate || gate.mode === "none";
  $("kill").textContent = killed ? t.release : t.kill;
  $("kill").className = killed ? "release" : "danger";
  $("kill").disabled = !may(killed ? "engineer" : "operator");
  $("kill").title = t.notEmergency;
}

function killOrRelease() {
  const { t } = here;
  if (known.gate.killed) ask({ title: t.releaseTitle, text: t.releaseText, yes: t.release, path: "gate/release" });
  else ask({ title: t.killTitle, text: `${t.killText} ${t.notEmergency}`, yes: t.kill, path: "gate/kill", reason: true });
}

function unkept() {
  const { problem } = known.history;
  $("unkept").hidden = !problem;
  $("unkept").textContent = problem ? here.t.unkept(say(problem)) : "";
}

function tick() {
  if (!here.factory) return;
  ticked = performance.now();
  $("clock").textContent = clock(now(), here.t.locale, here.factory.timezone);
  if (here.live) each("tick");
}

// ---- words and looks

export function isKorean() {
  return language === "ko";
}

function speak(chosen) {
  language = chosen;
  here.t = { ...words[language], ...own[language] };
  const { t } = here;
  document.documentElement.lang = language;
  $("language").textContent = t.other;
  $("places").setAttribute("aria-label", t.pages);
  for (const spoken of document.querySelectorAll("[data-word]")) spoken.textContent = t[spoken.dataset.word];
  for (const chart of document.querySelectorAll('svg[role="img"]:not([aria-label])')) chart.setAttribute("aria-label", t.loading);
  for (const to of places) $(`to-${to.name}`)?.querySelector("span").replaceChildren(t.titles[to.name]);
  if (place) document.title = `${t.titles[place.name]} — ${here.factory?.name ?? "등대"}`;
  showSession();
  showTheme();
}

function turnLanguage() {
  const other = isKorean() ? "en" : "ko";
  localStorage.setItem("language", other);
  speak(other);
  login.draw();
  if (!here.factory) return;
  summarise();
  warn();
  ring();
  each("build");
}

function turnTheme() {
  const before = localStorage.getItem("theme") ?? "auto";
  localStorage.setItem("theme", THEMES[(THEMES.indexOf(before) + 1) % THEMES.length]);
  showTheme();
}

function showTheme() {
  const theme = localStorage.getItem("theme") ?? "auto";
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = { auto: "◐", light: "☀", dark: "☾" }[theme];
  $("theme").title = here.t.themes?.[theme] ?? "";
  $("theme").setAttribute("aria-label", $("theme").title);
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

// the day and the time of what may be long ago
export function moment(text, seconds = false) {
  return day(Date.parse(text), here.t.locale, here.factory.timezone, seconds);
}

// the findings of a name, newest of each analysis and asset
export function findings(name) {
  return known.findings.filter((finding) => finding.name === name);
}

// whether the factory has an analysis of one of these types
export function analyses(...types) {
  return Object.values(known.analyses).some((type) => types.includes(type));
}

// ---- asking and acting

// whether who looks has a role, or one that may more
export function may(role) {
  return ROLES.indexOf(here.session.role) >= ROLES.indexOf(role);
}

// whose login has ended is asked to log in, and only what changes nothing is then sent by itself
async function reach(path, options) {
  const answer = await fetch(`/api/v1/${path}`, options);
  if (answer.status !== 401) return answer;
  await enter({ note: "expired" });
  if (!options?.method || options.method === "GET") return fetch(`/api/v1/${path}`, options);
  throw Object.assign(new Error(here.t.sendAgain), { status: 401 });
}

// returns the answer, or throws an Error that says in words why there is none; its `status` is HTTP's, `told` all that came
export async function get(path, options) {
  const answer = await reach(path, options);
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(wrong(told)), { status: answer.status, told });
  return told;
}

// what is wrong and what to do about it, in the words of the reader
function wrong({ error, remedy }) {
  return [error, remedy].filter(Boolean).map((text) => say(text)).join(" — ");
}

// returns what the API gives as a file, or throws as get() does
export async function fetched(path, options = {}) {
  const headers = { "Content-Type": "application/json", "X-Deungdae": "1" };
  const answer = await reach(path, { headers, ...options });
  if (answer.ok) return answer.blob();
  const told = await answer.json();
  throw Object.assign(new Error(wrong(told)), { status: answer.status });
}

export function send(path, body, method = "POST") {
  const headers = { "Content-Type": "application/json", "X-Deungdae": "1" };
  return get(path, { method, headers, body: JSON.stringify(body) });
}

// asks to log in over whatever is open, which stays; settings: those of Login.ask
function enter(settings) {
  entering ??= asked(settings).finally(() => (entering = null));
  return entering;
}

async function asked(settings) {
  const found = await whoLooks();
  const isIn = found.user && !found.must_change; // with a new password, or on another tab
  return entered(isIn ? found : await login.ask({ session: found, ...settings }));
}

async function entered(found) {
  if (!found) return;
  // what somebody else was writing is not for this person's eyes and name
  if (here.factory && here.session.user !== found.user) {
    location.reload();
    await new Promise(() => {});
  }
  here.session = found;
  showSession();
  if (!here.factory) return;
  warn();
  each("take", (name) => name === "session");
}

function showSession() {
  const { t, session } = here;
  $("person").textContent = session.user ? session.name || session.user : t.login;
  $("person").title = session.role ? t.roles[session.role] : "";
  menu.show(session, t.roles, language);
  for (const to of places) $(`to-${to.name}`)?.toggleAttribute("hidden", Boolean(to.role) && !may(to.role));
}

// asks a person in a dialog and sends what was given; fields: [name, label, kind, value], where kind
// may be a list of [value, word] to choose from; whole: makes of what was given what is sent;
// problems: words for the rules that may forbid it
export function ask({ title, text, yes, path, method = "POST", body = {}, fields = [], reason = false, whole = (given) => given, problems = {}, done = () => {} }) {
  const box = $("dialog");
  $("dialog-title").textContent = title;
  $("dialog-text").textContent = text;
  $("dialog-error").textContent = "";
  $("dialog-yes").textContent = yes;
  $("dialog-no").textContent = here.t.cancel;
  const all = [...fields];
  if (reason) all.push(["reason", here.t.reason, "text"]);
  $("dialog-fields").replaceChildren(...all.map(field));
  box.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const given = { ...body };
    for (const [name, , kind] of all) {
      const value = $(`field-${name}`).value.trim();
      given[name] = kind === "number" ? Number(value) : value;
    }
    let told = null;
    try {
      told = await send(path, whole(given), method);
    } catch (problem) {
      $("dialog-error").textContent = problem instanceof TypeError ? here.t.failed : (problems[problem.told?.rule] ?? problem.message);
      return;
    }
    box.close();
    done(told);
  };
  box.showModal();
}

function field([name, label, kind, value]) {
  if (Array.isArray(kind)) return choice(name, label, kind, value);
  const input = element("input");
  input.id = `field-${name}`;
  input.type = kind;
  input.required = true;
  input.autocomplete = "off";
  if (kind === "number") input.step = "any";
  input.value = value ?? "";
  return element("label", "", label, input);
}

function choice(name, label, all, value) {
  const made = element("select", "", ...all.map(([each, word]) => new Option(word, each, false, each === value)));
  made.id = `field-${name}`;
  return element("label", "", label, made);
}

// ---- beginning: nothing of the factory is asked for before it is known who looks

async function begin() {
  frame();
  here.session = await whoLooks();
  speak(localStorage.getItem("language") ?? here.session.language);
  const note = location.hash.slice(1);
  const told = ["used", "refused", "failed"].includes(note);
  if (told) history.replaceState(null, "", location.pathname);
  if (!here.session.role || here.session.must_change) await enter({ whole: true, note: told ? note : "" });
  else if (told && !here.session.user) enter({ closable: true, note });
  showSession();
  open();
  setInterval(() => performance.now() - ticked > 240 && tick(), 250);
  setInterval(attend, 1000);
  connect();
}

async function whoLooks() {
  for (;;) {
    try {
      return await session();
    } catch {
      lose();
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

begin();
