// The tabs of the page, and what all of them share: the alarms as the server tells them.

import { $, button } from "../dom.js";
import { get, here, known } from "../shell.js";
import { isOn, turn } from "../tone.js";

const PACE = 1000; // ms between two questions, however fast alarms come

export class Frame {
  // views: by the name of their tab: each is made with this frame and has element, and may have
  // show(alarms), tick() and leave()
  constructor(views) {
    this.views = views;
    this.chosen = new URLSearchParams(location.search).get("tab") ?? "";
    if (!(this.chosen in views)) this.chosen = "now";
    this.view = null;
    this.told = null; // what the server last said
    this.asked = -PACE;
    this.version = null; // of what was asked for last
    this.wanted = 0;
    $("alarm-tone").addEventListener("click", () => {
      turn(!isOn());
      this.showTone();
    });
  }

  build() {
    this.open(this.chosen);
    this.showTone();
    this.renew();
  }

  open(name) {
    this.chosen = name;
    const address = new URL(location.href);
    if (name === "now") address.searchParams.delete("tab");
    else address.searchParams.set("tab", name);
    history.replaceState(null, "", address);
    this.view?.leave?.();
    this.view = new this.views[name](this);
    $("alarm-body").replaceChildren(this.view.element);
    this.say("");
    this.drawTabs();
    if (this.told) this.view.show?.(this.told);
    this.view.start?.();
  }

  drawTabs() {
    const { t } = here;
    const alarms = this.told?.alarms ?? [];
    const quiet = alarms.filter(isQuiet).length;
    const counts = { now: alarms.length - quiet, quiet };
    const made = Object.keys(this.views).map((name) => {
      const words = name in counts ? `${t.tabs[name]} ${counts[name]}` : t.tabs[name];
      const tab = button(name === this.chosen ? "chosen" : "", words, () => this.open(name));
      tab.setAttribute("aria-pressed", name === this.chosen);
      return tab;
    });
    const at = [...$("alarm-tabs").children].indexOf(document.activeElement);
    $("alarm-tabs").replaceChildren(...made);
    if (at >= 0) made[at].focus();
  }

  showTone() {
    $("alarm-tone").textContent = isOn() ? here.t.toneOn : here.t.toneOff;
    $("alarm-tone").setAttribute("aria-pressed", isOn());
  }

  take(changed) {
    if (changed("session") && !changed("factory")) this.open(this.chosen);
  }

  tick() {
    const version = known.alarms?.version;
    if (version !== undefined && version !== this.version && performance.now() - this.asked >= PACE) this.renew();
    this.view?.tick?.();
  }

  async renew() {
    this.asked = performance.now();
    this.version = known.alarms?.version ?? null;
    const turn = ++this.wanted;
    const told = await get("alarms").catch(() => null);
    if (!told || turn !== this.wanted || !$("alarm-body")) return;
    this.told = told;
    this.drawTabs();
    this.view?.show?.(told);
  }

  // tells a person what came of something
  say(words) {
    $("alarm-note").textContent = words;
  }

  leave() {
    this.wanted += 1;
    this.view?.leave?.();
  }
}

export function isQuiet(alarm) {
  return ["shelved", "suppressed", "out_of_service"].includes(alarm.state);
}
