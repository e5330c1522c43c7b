// Two people changed one file: who it was, what they changed, and how both come together.

import { merge } from "../diff.js";
import { difference } from "../difference.js";
import { $, button, element } from "../dom.js";
import { here, moment } from "../shell.js";

export class Conflict {
  // done(name, text, version, base): how it ended
  constructor(done) {
    this.done = done;
    this.open = null;
  }

  // file: as it is now; draft: as the person has it; told: who it was, if that is known
  show(file, draft, told) {
    // the page is built anew whenever the factory changes: that undoes no choice and forgets nobody
    const same = this.open?.file.name === file.name && this.open.file.version === file.version && this.open.draft.text === draft.text;
    if (same && !told) return;
    const pieces = merge(draft.base, draft.text, file.text);
    this.open = { file, draft: { ...draft }, told, pieces, picks: new Map() };
    this.draw();
  }

  hide() {
    this.open = null;
    $("file-conflict").hidden = true;
  }

  draw() {
    $("file-conflict").hidden = !this.open;
    if (!this.open) return;
    const { t } = here;
    const { file, draft, told, pieces } = this.open;
    const who = told?.person ? t.changedBy(told.person, file.name, moment(told.time)) : t.changedElsewhere(file.name);
    const apart = pieces.filter((piece) => piece.mine);
    const together = button("first", t.together, () => this.end(this.merged()));
    this.together = together;
    $("file-conflict").replaceChildren(
      element("h3", "", who),
      element("p", "", apart.length ? t.apart(apart.length) : t.clear),
      element("details", "", element("summary", "", t.theirChange), difference(draft.base, file.text)),
      ...apart.map((piece, n) => this.choice(piece, n)),
      element("menu", "", button("", t.dropMine, () => this.end(file.text)), together),
    );
    $("file-conflict").querySelector("details").open = true;
    this.allow();
  }

  // together they come once every place has been chosen
  allow() {
    const { pieces, picks } = this.open;
    this.together.disabled = picks.size < pieces.filter((piece) => piece.mine).length;
  }

  choice(piece, n) {
    const { t } = here;
    const { picks } = this.open;
    const side = (key, word) => {
      const input = element("input");
      Object.assign(input, { type: "radio", name: `apart-${n}`, value: key, checked: picks.get(piece) === key });
      input.addEventListener("change", () => {
        picks.set(piece, key);
        this.allow();
      });
      return element("label", "side", input, element("strong", "", ` ${word}`), element("pre", "", piece[key].join("\n") || t.nothing));
    };
    return element("fieldset", "sides", element("legend", "", t.which(n + 1)), side("mine", t.mine), side("theirs", t.theirs));
  }

  merged() {
    const { pieces, picks } = this.open;
    return pieces.flatMap((piece) => piece.lines ?? piece[picks.get(piece)]).join("\n");
  }

  end(text) {
    const { file } = this.open;
    this.hide();
    this.done(file.name, text, file.version, file.text);
  }
}
