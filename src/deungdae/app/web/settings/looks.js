// The language and brightness of this browser, and the language of the factory.

import { $, element, put } from "../dom.js";
import { get, here, isKorean, may, send } from "../shell.js";

export class Looks {
  constructor() {
    $("factory-language").addEventListener("change", () => this.speak());
  }

  build() {
    const { t } = here;
    const languages = [["ko", "한국어"], ["en", "English"]];
    choices("looks-language", languages, isKorean() ? "ko" : "en", () => $("language").click());
    const themes = Object.entries(t.brightnesses);
    choices("looks-theme", themes, theme(), (wanted) => {
      while (theme() !== wanted) $("theme").click(); // the button turns through all of them
    });
    $("looks-factory").hidden = !may("engineer");
    $("factory-language").value = here.factory.language;
  }

  take(changed) {
    if (changed("session")) this.build();
  }

  async speak() {
    try {
      const { version } = await get("layout");
      await send("language", { language: $("factory-language").value, version }, "PUT");
      put($("looks-note"), here.t.saved);
    } catch (problem) {
      $("factory-language").value = here.factory.language;
      put($("looks-note"), problem.message);
    }
  }
}

const theme = () => localStorage.getItem("theme") ?? "auto";

function choices(id, all, chosen, choose) {
  const legend = $(id).querySelector("legend");
  const made = all.map(([value, word]) => {
    const input = element("input");
    Object.assign(input, { type: "radio", name: id, value, checked: value === chosen });
    input.addEventListener("change", () => choose(value));
    return element("label", "check", input, ` ${word}`);
  });
  $(id).replaceChildren(legend, ...made);
}
