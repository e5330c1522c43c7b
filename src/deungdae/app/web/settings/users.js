// The people who may log in: for administrators.

import { $, button, element } from "../dom.js";
import { ask, get, here, may } from "../shell.js";
import { Table } from "../table.js";

const ROLES = ["viewer", "operator", "engineer", "administrator"];
const LOOKS = { active: "run", waiting: "idle", disabled: "none" };

export class Users {
  constructor() {
    this.rows = [];
    this.given = null; // { name, password }, until it was seen
  }

  build() {
    const { t } = here;
    const place = $("users");
    place.hidden = !may("administrator");
    if (place.hidden) return place.replaceChildren();
    const title = element("h2", "", t.usersTitle);
    const head = element("div", "head", title, element("span", "quiet", t.usersText), element("span", "push"), button("first", t.userAdd, () => this.add()));
    this.notice = element("div", "user-notice");
    this.notice.setAttribute("role", "status");
    this.table = new Table({ name: t.usersTitle, label: t.usersTitle, empty: t.userNone, columns: this.columns() });
    this.problem = element("p", "notice");
    place.replaceChildren(head, this.notice, this.problem, this.table.element, element("p", "quiet", t.usersRoles));
    this.tell();
    this.load();
  }

  take(changed) {
    if (changed("session")) this.build();
  }

  columns() {
    const { t } = here;
    const you = (row) => (row.name === here.session.user ? element("span", "chip", t.userYou) : "");
    return [
      { key: "shown", title: t.userShown, show: (row) => element("span", "chips", element("strong", "", row.shown), you(row)) },
      { key: "name", title: t.userName },
      { key: (row) => t.roles[row.role], title: t.userRole },
      { key: (row) => t.userStates[state(row)], title: t.userState, show: (row) => element("span", `chip ${LOOKS[state(row)]}`, t.userStates[state(row)]) },
      { key: "created", title: t.userSince, kind: "time" },
      { key: () => "", title: t.userDeeds, aside: true, show: (row) => element("span", "chips", ...this.deeds(row)) },
    ];
  }

  deeds(row) {
    const { t } = here;
    const named = (label, act) => {
      const made = button("", label, act);
      made.setAttribute("aria-label", `${label}: ${row.shown}`);
      return made;
    };
    return [
      named(t.userChange, () => this.change(row)),
      named(t.userReset, () => this.reset(row)),
      named(t.userRemove, () => this.remove(row)),
    ];
  }

  async load() {
    try {
      this.rows = await get("users");
      this.problem.textContent = "";
    } catch (problem) {
      this.problem.textContent = problem.message;
    }
    this.table.fill(this.rows);
  }

  add() {
    const { t } = here;
    const roles = ROLES.map((role) => [role, t.roles[role]]);
    const fields = [["name", t.userName, "text"], ["shown", t.userShown, "text"], ["role", t.userRole, roles]];
    ask({ title: t.userAdd, text: t.userAddText, yes: t.userAdd, path: "users", fields, problems: t.userProblems, done: (told) => this.give(told) });
  }

  change(row) {
    const { t } = here;
    const roles = ROLES.map((role) => [role, t.roles[role]]);
    const states = [["", t.userStates.active], ["disabled", t.userStates.disabled]];
    const fields = [["shown", t.userShown, "text", row.shown], ["role", t.userRole, roles, row.role], ["disabled", t.userState, states, row.disabled ? "disabled" : ""]];
    const path = `users/${encodeURIComponent(row.name)}`;
    const whole = (given) => ({ ...given, disabled: given.disabled === "disabled" });
    ask({ title: t.userChangeTitle(row.shown), text: t.userChangeText, yes: t.apply, path, method: "PATCH", fields, whole, problems: t.userProblems, done: () => this.load() });
  }

  reset(row) {
    const { t } = here;
    const path = `users/${encodeURIComponent(row.name)}/password`;
    ask({ title: t.userResetTitle(row.shown), text: t.userResetText, yes: t.userReset, path, done: (told) => this.give(told) });
  }

  remove(row) {
    const { t } = here;
    const path = `users/${encodeURIComponent(row.name)}`;
    ask({ title: t.userRemoveTitle(row.shown), text: t.userRemoveText, yes: t.userRemove, path, method: "DELETE", problems: t.userProblems, done: () => this.load() });
  }

  give(told) {
    this.given = { name: told.user.shown, password: told.password };
    this.tell();
    this.load();
  }

  // shows the password for the first login, until it was seen
  tell() {
    const { t } = here;
    if (!this.given) return this.notice.replaceChildren();
    const { name, password } = this.given;
    const copy = button("", t.userCopy, async () => {
      await navigator.clipboard.writeText(password);
      copy.textContent = t.userCopied;
    });
    const seen = button("", t.userSeen, () => {
      this.given = null;
      this.tell();
    });
    const shown = element("code", "", password);
    this.notice.replaceChildren(element("p", "", t.userPassword(name)), element("div", "chips", shown, copy, seen));
  }
}

function state(row) {
  if (row.disabled) return "disabled";
  return row.must_change ? "waiting" : "active";
}
