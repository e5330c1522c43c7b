// A small button that opens a list of things to do.

import { button, element } from "./dom.js";

// entries: [[label, act], …]
export function menu(mark, label, entries) {
  const made = element("details", "menu");
  const face = element("summary", "", mark);
  face.setAttribute("aria-label", label);
  face.title = label;
  const close = () => (made.open = false);
  const choose = (act) => () => {
    close();
    face.focus();
    act();
  };
  made.append(face, element("div", "entries", ...entries.map(([word, act]) => button("", word, choose(act)))));
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !made.open) return;
    close();
    face.focus();
  });
  made.addEventListener("focusout", (event) => made.contains(event.relatedTarget) || close());
  return made;
}
