// The field that a scanner types into, and the codes that were looked up before.

import { $, button, element } from "../dom.js";
import { get, go, here } from "../shell.js";

const KEPT = 8;
const PAUSE = 250; // ms without a key until codes are offered; a scanner is quicker

export class Ask {
  constructor(code) {
    this.code = code;
  }

  build() {
    const field = $("trace-code");
    field.value = this.code || field.value;
    field.placeholder = here.t.example;
    $("trace-ask").onsubmit = (event) => {
      event.preventDefault();
      const code = field.value.trim();
      if (code) open(code);
    };
    field.oninput = () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.offer(field.value.trim()), PAUSE);
    };
    this.recent();
    field.focus();
    field.select(); // so that the next scan takes its place
  }

  leave() {
    clearTimeout(this.waiting);
  }

  async offer(prefix) {
    if (!prefix || prefix.length > 200) return;
    const told = await get(`trace?prefix=${encodeURIComponent(prefix)}`).catch(() => ({ codes: [] }));
    $("trace-codes")?.replaceChildren(...told.codes.map((code) => Object.assign(element("option"), { value: code })));
  }

  recent() {
    const codes = recents();
    $("trace-recent").hidden = !codes.length;
    $("trace-recent").replaceChildren(element("span", "quiet", here.t.recent), ...codes.map((code) => button("code", code, () => open(code))));
  }
}

export function open(code, at = "") {
  return go(`/trace/${encodeURIComponent(code)}${at ? `?at=${encodeURIComponent(at)}` : ""}`);
}

export function remember(code) {
  const codes = [code, ...recents().filter((each) => each !== code)].slice(0, KEPT);
  localStorage.setItem("trace", JSON.stringify(codes));
}

function recents() {
  try {
    return JSON.parse(localStorage.getItem("trace") ?? "[]").filter((code) => typeof code === "string");
  } catch {
    return [];
  }
}
