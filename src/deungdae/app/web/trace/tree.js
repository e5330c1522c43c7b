// What went into a thing, or what it went into: a tree that opens one generation at a time.

import { button, element } from "../dom.js";
import { number } from "../format.js";
import { get, here, moment } from "../shell.js";
import { lookOf } from "./life.js";

const SHOWN = 12; // of one generation at first

export class Tree {
  // way: forward or backward; reach: the answer of the API for the root
  constructor(way, reach) {
    this.way = way;
    this.element = this.branch(reach, new Set([reach.code]));
  }

  // above: codes between here and the root, so that a circle is seen
  branch({ links, total }, above) {
    const { t } = here;
    const list = element("ul", "tree");
    let shown = 0;
    const grow = () => {
      const next = links.slice(shown, shown + (shown ? 100 : SHOWN));
      shown += next.length;
      list.append(...next.map((link) => this.twig(link, above)));
      rest.hidden = shown >= total;
      rest.firstChild.textContent = shown < links.length ? t.moreThings(number(total - shown, t.locale)) : t.notListed(number(total - shown, t.locale));
      rest.firstChild.disabled = shown >= links.length;
      list.append(rest);
    };
    const rest = element("li", "rest", button("", "", grow));
    grow();
    return list;
  }

  twig(link, above) {
    const { t } = here;
    const opener = button("opener", "▸", () => this.toggle(item, link, opener, above));
    opener.setAttribute("aria-expanded", "false");
    opener.setAttribute("aria-label", t.openThing(link.code));
    opener.disabled = above.has(link.code);
    const name = Object.assign(element("a", "code", link.code), { href: `/trace/${encodeURIComponent(link.code)}?at=${encodeURIComponent(link.at)}` });
    const look = lookOf(link.result);
    const words = [t.kinds[link.kind], link.product, link.until ? t.untilWord(moment(link.until)) : moment(link.time)];
    const chip = link.result ? element("span", `chip ${look.kind}`, `${look.mark} ${look.label}`) : null;
    const item = element("li", "", opener, element("div", "twig", name, chip, element("span", "quiet", words.filter(Boolean).join(" · "))));
    return item;
  }

  async toggle(item, link, opener, above) {
    const open = item.querySelector(":scope > .tree, :scope > .none");
    const opened = opener.getAttribute("aria-expanded") === "true";
    opener.setAttribute("aria-expanded", String(!opened));
    if (open) {
      open.hidden = opened;
      return;
    }
    const answer = await get(`trace/${encodeURIComponent(link.code)}/${this.way}?at=${encodeURIComponent(link.at)}`).catch((problem) => ({ problem }));
    if (answer.problem) item.append(element("p", "none notice", answer.problem.message));
    else if (!answer.total) item.append(element("p", "none quiet", here.t.nothingTold[this.way]));
    else item.append(this.branch(answer, new Set([...above, link.code])));
  }
}

// how many of each kind there are behind: "this → 1,240 parts → 2 carriers"
export function chain({ code, counts, more }) {
  const { t } = here;
  const made = element("p", "chain", element("strong", "", code));
  for (const { kind, count } of counts) made.append(element("span", "quiet", " → "), element("strong", "", t.counted(t.kinds[kind] ?? kind, number(count, t.locale))));
  if (more) made.append(element("span", "chip idle", `! ${t.thereIsMore}`));
  return made;
}
