// Which Deungdae this is, and what it is made of.

import { $, element } from "../dom.js";
import { get, here } from "../shell.js";

export class About {
  leave() {
    this.gone = true;
  }

  async build() {
    const { t } = here;
    const { version, python, licence, parts } = await get("about");
    if (this.gone) return;
    const facts = [["Deungdae", version], [t.licence, licence], ["Python", python], [t.factoryId, here.factory.id]];
    $("about-facts").replaceChildren(...facts.flatMap(([word, value]) => [element("dt", "", word), element("dd", "", value)]));
    $("about-parts").replaceChildren(...parts.map((part) => element("li", "", `${part.name} ${part.version}`, element("span", "quiet", ` ${part.licence}`))));
  }
}
