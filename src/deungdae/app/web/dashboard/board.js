// One dashboard: to look at, on the wall without anything around it, or being changed.

import { $, button, element } from "../dom.js";
import { get, go, here, may, send } from "../shell.js";
import { describe } from "./editor.js";
import { tileOf } from "./tiles.js";

const TURN = 20; // s that a screen on the wall shows each of several dashboards

export class Board {
  constructor(name) {
    this.name = name;
    this.shown = []; // the tiles as they are shown
    const asked = new URLSearchParams(location.search);
    this.editing = asked.has("edit");
    this.kiosk = asked.has("kiosk");
    this.others = (asked.get("with") ?? "").split(",").filter(Boolean);
    this.seconds = Number(asked.get("turn")) || TURN;
    document.body.classList.toggle("kiosk", this.kiosk);
    this.press = (event) => event.key === "Escape" && this.kiosk && !document.fullscreenElement && go(this.path());
    document.addEventListener("keydown", this.press);
  }

  path(query = "") {
    return `/dashboard/${encodeURIComponent(this.name)}${query}`;
  }

  leave() {
    document.removeEventListener("keydown", this.press);
    document.body.classList.remove("kiosk");
    clearTimeout(this.turning);
    for (const tile of this.shown) tile.leave?.();
  }

  async build() {
    for (const tile of this.shown) tile.leave?.();
    this.shown = [];
    try {
      if (!this.editing || !this.kept) this.kept = await get(`dashboards/${encodeURIComponent(this.name)}`);
    } catch (problem) {
      $("dash-error").textContent = problem.message;
      return;
    }
    this.draft ??= structuredClone(this.kept.dashboard);
    if (!this.editing) this.draft = structuredClone(this.kept.dashboard);
    this.show();
    if (this.kiosk) this.next();
  }

  show() {
    const { t } = here;
    for (const tile of this.shown) tile.leave?.();
    $("dash-title").textContent = this.draft.title;
    $("dash-title").classList.toggle("said", this.editing); // the field beside it says the same
    $("dash-tools").replaceChildren(...(this.editing ? this.editTools() : this.tools()));
    this.shown = this.draft.tiles.map((each) => tileOf(each));
    $("tiles").hidden = !this.shown.length;
    $("dash-empty").hidden = this.shown.length > 0;
    $("dash-empty").textContent = this.editing ? t.emptyEditing : t.emptyDashboard;
    $("tiles").replaceChildren(...this.shown.map((tile, n) => this.frame(tile, n)));
    for (const tile of this.shown) tile.build?.();
  }

  take(changed) {
    if (changed("factory")) return;
    for (const tile of this.shown) tile.take?.(changed);
  }

  tick() {
    for (const tile of this.shown) tile.tick?.();
  }

  frame(tile, n) {
    const { t } = here;
    const head = tile.title ? element("h3", "", tile.title) : null;
    const parts = [head, tile.element].filter(Boolean);
    if (this.editing) {
      const move = (by) => this.move(n, by);
      const tools = [
        named("←", t.earlier, () => move(-1), n === 0),
        named("→", t.later, () => move(1), n === this.draft.tiles.length - 1),
        named("⇔", t.turnSize, () => this.resize(n)),
        named("✎", t.change, () => this.change(n)),
        named("✕", t.remove, () => this.drop(n)),
      ];
      parts.unshift(element("div", "tile-tools", ...tools));
    }
    const made = element("article", `card dash-tile ${tile.size}`, ...parts);
    made.setAttribute("aria-label", tile.title || t.kinds[tile.kind]);
    return made;
  }

  tools() {
    const { t } = here;
    const edit = button("", t.edit, () => go(this.path("?edit")));
    edit.disabled = !may("operator");
    edit.title = edit.disabled ? t.needsOperator : "";
    const wall = button("", t.wall, () => {
      go(this.path("?kiosk"));
      document.documentElement.requestFullscreen?.().catch(() => {}); // not allowed: the page alone must do
    });
    const share = button("", t.share, async () => {
      try {
        await navigator.clipboard.writeText(location.origin + this.path());
        share.textContent = t.copied;
      } catch {
        share.replaceWith(element("code", "", location.origin + this.path())); // no clipboard without TLS
      }
    });
    return [share, wall, edit];
  }

  editTools() {
    const { t } = here;
    const title = element("input");
    Object.assign(title, { value: this.draft.title, maxLength: 100 });
    title.setAttribute("aria-label", t.dashTitle);
    title.addEventListener("input", () => {
      this.draft.title = title.value;
      $("dash-title").textContent = title.value;
    });
    const add = button("", t.addTile, () => this.change(this.draft.tiles.length));
    const drop = button("danger", t.removeDashboard, () => this.removeAll());
    const save = button("main", t.save, () => this.save());
    return [title, add, drop, button("", t.cancel, () => go(this.path())), save];
  }

  move(n, by) {
    const [tile] = this.draft.tiles.splice(n, 1);
    this.draft.tiles.splice(n + by, 0, tile);
    this.show();
    const tools = $("tiles").children[n + by].querySelectorAll(".tile-tools button");
    (by < 0 ? tools[0] : tools[1]).focus();
  }

  resize(n) {
    const sizes = ["small", "medium", "large", "wide"];
    const tile = this.draft.tiles[n];
    tile.size = sizes[(sizes.indexOf(tile.size ?? "medium") + 1) % sizes.length];
    this.show();
    $("tiles").children[n].querySelectorAll(".tile-tools button")[2].focus();
  }

  drop(n) {
    this.draft.tiles.splice(n, 1);
    this.show();
  }

  async change(n) {
    const tile = await describe(this.draft.tiles[n]);
    if (!tile) return;
    this.draft.tiles[n] = tile;
    this.show();
  }

  async save() {
    const { title, tiles } = this.draft;
    try {
      this.kept = await send(`dashboards/${encodeURIComponent(this.name)}`, { title: title.trim(), tiles, version: this.kept.version }, "PUT");
      go(this.path());
    } catch (problem) {
      $("dash-error").textContent = problem instanceof TypeError ? here.t.failed : problem.message;
    }
  }

  async removeAll() {
    if (!window.confirm(here.t.removeSure(this.draft.title))) return;
    try {
      await send(`dashboards/${encodeURIComponent(this.name)}`, { version: this.kept.version }, "DELETE");
      go("/dashboard");
    } catch (problem) {
      $("dash-error").textContent = problem.message;
    }
  }

  // on the wall, one dashboard after the other
  next() {
    if (!this.others.length) return;
    const all = [...this.others, this.name];
    const query = `?kiosk&turn=${this.seconds}&with=${all.slice(1).map(encodeURIComponent).join(",")}`;
    this.turning = setTimeout(() => go(`/dashboard/${encodeURIComponent(all[0])}${query}`), this.seconds * 1000);
  }
}

function named(mark, words, act, off = false) {
  const made = button("", mark, act);
  made.title = words;
  made.setAttribute("aria-label", words);
  made.disabled = off;
  return made;
}
