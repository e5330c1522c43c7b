// Logging in: the view for it, over whatever is open, choosing a password, and the person's menu.

import { button, drawn, element } from "./dom.js";
import { words } from "./login_words.js";
import { say } from "./said.js";

const HEADERS = { "Content-Type": "application/json", "X-Deungdae": "1" };
const LINK = "deungdae user link factory.toml";
const EYE = "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z";

// returns who is logged in, with role '' for nobody; throws where the server does not answer
export async function session() {
  const answer = await fetch("/api/v1/session");
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

// The dialog. speaks: "ko" or "en", as a function; turn: called to change the language.
export class Login {
  #speaks;
  #turn;
  #box = element("dialog", "login");
  #given = { user: "", old: "" }; // typed already: kept where the view is drawn anew
  #state = null; // { note, closable, whole, done, step: "enter" | "change", session }
  #waiting = 0;

  constructor(speaks, turn) {
    this.#speaks = speaks;
    this.#turn = turn;
    this.#box.id = "login";
    this.#box.setAttribute("aria-labelledby", "login-title");
    this.#box.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (this.#state.closable) this.#close(null);
    });
    addEventListener("focus", () => this.#look());
    document.body.append(this.#box);
  }

  // asks to log in; returns the session, or null where it was put off.
  // note: a key of words.notes, or "expired"; whole: nothing else is open yet; closable: one need not
  ask({ note = "", whole = false, closable = false, session = null }) {
    return new Promise((done) => {
      const step = session?.must_change ? "change" : "enter";
      this.#state = { note, whole, closable, done, step, session, first: Boolean(session?.must_change) };
      this.#open();
    });
  }

  // lets whoever is logged in choose another password; returns the session, or null
  change(session) {
    return new Promise((done) => {
      this.#state = { note: "", whole: false, closable: true, done, step: "change", session, first: false };
      this.#open();
    });
  }

  // draws the view anew, as in another language
  draw() {
    if (!this.#state) return;
    const t = words[this.#speaks()];
    const { step, whole } = this.#state;
    this.#box.classList.toggle("whole", whole);
    const mark = element("img");
    Object.assign(mark, { src: "/page/lighthouse.svg", alt: "", width: 44, height: 44 });
    const turn = button("turn", t.other, this.#turn);
    const title = element("h2", "", step === "change" ? t.changeTitle : t.title);
    title.id = "login-title";
    const head = element("div", "top", mark, element("strong", "", "등대"), element("span", "push"), turn);
    this.#box.replaceChildren(head, title, ...(step === "change" ? this.#changing(t) : this.#entering(t)));
    const empty = [...this.#box.querySelectorAll("input")].find((input) => !input.value);
    (empty ?? this.#box.querySelector("button.main")).focus();
  }

  #open() {
    this.draw();
    if (!this.#box.open) this.#box.showModal();
    this.draw();
  }

  #close(session) {
    clearInterval(this.#waiting);
    const { done } = this.#state;
    this.#state = null;
    this.#given = { user: "", old: "" };
    this.#box.replaceChildren();
    this.#box.close();
    done(session);
  }

  // somebody may have logged in on another tab meanwhile
  async #look() {
    if (this.#state?.step !== "enter") return;
    const found = await session().catch(() => null);
    if (found?.user && !found.must_change && this.#state?.step === "enter") this.#close(found);
  }

  #entering(t) {
    const { note, closable, session: known } = this.#state;
    const user = input("login-user", "text", "username", this.#given.user);
    const password = input("login-password", "password", "current-password");
    user.addEventListener("input", () => (this.#given.user = user.value));
    const form = this.#form(t, t.enter, t.entering, () => this.#send("POST", "session", { user: user.value, password: password.value }));
    form.said.before(labelled(t.user, user), labelled(t.password, password, eye(t, password)));
    form.entered = (session) => {
      if (!session.must_change) return this.#close(session);
      Object.assign(this.#state, { step: "change", first: true, session, note: "" });
      this.#given.old = password.value;
      this.draw();
    };
    form.wrong = () => {
      password.value = "";
      password.focus();
    };
    const shown = [];
    if (note) shown.push(element("p", "note", note === "expired" ? t.expired : t.notes[note]));
    shown.push(form);
    if (known?.oidc) shown.push(this.#elsewhere(t, known.oidc));
    if (closable) form.querySelector("menu").prepend(button("", t.cancel, () => this.#close(null)));
    const help = element("details", "quiet", element("summary", "", t.lost), element("p", "", t.lostText), element("code", "", LINK));
    return [...shown, help];
  }

  #elsewhere(t, label) {
    const link = element("a", "button", t.with(label));
    link.href = `/api/v1/session/oidc?to=${encodeURIComponent(location.pathname + location.search)}`;
    return element("div", "elsewhere", element("p", "quiet or", t.or), link);
  }

  #changing(t) {
    const { first, closable } = this.#state;
    const old = input("login-old", "password", "current-password");
    old.value = this.#given.old;
    const fresh = input("login-new", "password", "new-password");
    const repeat = input("login-repeat", "password", "new-password");
    const form = this.#form(t, t.change, t.entering, () => {
      if (fresh.value !== repeat.value) throw new Error(t.unequal);
      return this.#send("POST", "session/password", { old: old.value, new: fresh.value });
    });
    const name = input("login-name", "text", "username", this.#state.session.user);
    name.hidden = true; // for the browser's store of passwords
    const rules = element("p", "quiet", t.rules);
    rules.id = "login-rules";
    fresh.setAttribute("aria-describedby", rules.id);
    form.said.before(name);
    if (!this.#given.old) form.said.before(labelled(t.old, old, eye(t, old)));
    form.said.before(labelled(t.new, fresh, eye(t, fresh, repeat)), rules, labelled(t.repeat, repeat));
    form.entered = (session) => this.#close(session);
    form.wrong = () => fresh.focus();
    if (closable) form.querySelector("menu").prepend(button("", t.cancel, () => this.#close(null)));
    return [element("p", first ? "note" : "quiet", first ? t.changeFirst : t.changeText), form];
  }

  // a form whose button sends; what went wrong is said above it
  #form(t, label, busy, send) {
    const form = element("form");
    const main = element("button", "main", label);
    const said = element("p", "problem");
    said.id = "login-problem";
    said.setAttribute("role", "alert");
    form.said = said;
    form.append(said, element("menu", "", main));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      main.disabled = true;
      main.textContent = busy;
      said.textContent = "";
      try {
        form.entered(await send());
        return;
      } catch (problem) {
        said.textContent = problem instanceof TypeError ? t.unreachable : problem.message;
        if (problem.wait) this.#count(t, main, said, problem.wait);
        else main.disabled = false;
      }
      main.textContent = label;
      form.wrong();
    });
    return form;
  }

  async #send(method, path, body) {
    const answer = await fetch(`/api/v1/${path}`, { method, headers: HEADERS, body: JSON.stringify(body) });
    const told = await answer.json();
    if (answer.ok) return told;
    const t = words[this.#speaks()];
    const wait = Number(answer.headers.get("Retry-After"));
    const said = [told.error, told.remedy].filter(Boolean).map((text) => say(text, this.#speaks())).join(" — ");
    throw Object.assign(new Error(wait ? t.tooMany(wait) : (t.problems[told.rule] ?? said)), { wait });
  }

  // counts the seconds until one may try again
  #count(t, main, said, seconds) {
    clearInterval(this.#waiting);
    const end = performance.now() + 1000 * seconds;
    this.#waiting = setInterval(() => {
      const left = Math.ceil((end - performance.now()) / 1000);
      said.textContent = left > 0 ? t.tooMany(left) : "";
      if (left > 0) return;
      clearInterval(this.#waiting);
      main.disabled = false;
    }, 250);
  }
}

// The menu of who is logged in, at a button. change: called to choose another password.
export class PersonMenu {
  #menu = element("div", "person-menu");
  #button;
  #change;

  constructor(opener, change) {
    this.#button = opener;
    this.#change = change;
    this.#menu.id = "person-menu";
    this.#menu.popover = "auto";
    this.#menu.addEventListener("beforetoggle", () => this.#place());
    opener.after(this.#menu);
  }

  // shows a session in a language; a guest has no menu
  show(session, roles, language) {
    const t = words[language];
    this.#button.popoverTargetElement = session.user ? this.#menu : null;
    if (!session.user) return this.#menu.replaceChildren();
    const who = element("p", "who", element("strong", "", session.name), element("span", "quiet", roles[session.role]));
    if (session.name !== session.user) who.append(element("span", "quiet", session.user));
    const own = !session.user.startsWith("oidc:");
    const change = own ? button("", t.changePassword, () => this.#act(this.#change)) : null;
    this.#menu.replaceChildren(who, ...[change, button("", t.logout, () => this.#act(logout))].filter(Boolean));
  }

  // under the button, wherever a narrow screen has put it
  #place() {
    const at = this.#button.getBoundingClientRect();
    const width = Math.max(208, at.width);
    this.#menu.style.top = `${at.bottom + 8}px`;
    this.#menu.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
  }

  #act(deed) {
    this.#menu.hidePopover();
    deed();
  }
}

async function logout() {
  await fetch("/api/v1/session", { method: "DELETE", headers: HEADERS });
  location.assign("/");
}

function input(id, type, autocomplete, value = "") {
  const made = element("input");
  Object.assign(made, { id, type, autocomplete, value, required: true, spellcheck: false, autocapitalize: "none" });
  made.maxLength = 256;
  return made;
}

function labelled(text, field, ...beside) {
  const label = element("label", "", text);
  label.htmlFor = field.id;
  return element("div", "field", label, element("div", "line", field, ...beside));
}

// a button that shows what is typed into fields, and hides it again
function eye(t, ...fields) {
  const icon = drawn("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, drawn("path", { d: EYE }));
  const made = button("eye", icon, () => {
    const shown = fields[0].type === "text";
    for (const field of fields) field.type = shown ? "password" : "text";
    made.title = shown ? t.show : t.hide;
    made.setAttribute("aria-label", made.title);
    made.setAttribute("aria-pressed", String(!shown));
  });
  made.title = t.show;
  made.setAttribute("aria-label", t.show);
  made.setAttribute("aria-pressed", "false");
  return made;
}
