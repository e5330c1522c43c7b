// What there is to lose, where it is and how big, and the description to take away.

import { $, element, put } from "../dom.js";
import { get, here, may } from "../shell.js";
import { save } from "../table.js";

export class Backup {
  constructor() {
    $("backup-take").addEventListener("click", () => this.takeAway());
  }

  leave() {
    this.gone = true;
  }

  take(changed) {
    if (changed("session") && $("backup").hidden !== !may("engineer")) this.build();
  }

  async build() {
    $("backup").hidden = !may("engineer");
    if (!may("engineer")) return;
    const { t } = here;
    try {
      const { places, free, total } = await get("storage");
      if (this.gone) return;
      const rows = places.flatMap((place) => [
        element("dt", "", t.storage[place.kind] ?? place.kind, element("code", "", place.path)),
        element("dd", "", `${place.more ? "> " : ""}${size(place.bytes)}`),
      ]);
      $("backup-facts").replaceChildren(...rows, element("dt", "", t.diskFree), element("dd", "", t.ofAll(size(free), size(total))));
    } catch (problem) {
      if (this.gone) return;
      $("backup-facts").replaceChildren(element("dt", "", problem.message));
    }
  }

  takeAway() {
    save("files/export", `${here.factory.id}.zip`).catch((problem) => put($("backup-take"), problem.message));
  }
}

function size(bytes) {
  const steps = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(steps.length - 1, bytes ? Math.floor(Math.log10(bytes) / 3) : 0);
  const value = (bytes / 1000 ** step).toLocaleString(here.t.locale, { maximumSignificantDigits: 3 });
  return `${value} ${steps[step]}`;
}
