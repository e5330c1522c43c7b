// What a machine offers, as a tree that opens where somebody looks; a search shows what fits, flat.

import { element } from "../dom.js";
import { here } from "../shell.js";

const SMALL = 40; // leaves up to which everything is open at once
const SHOWN = 200; // what a search, or one branch, shows

export class Tree {
  // chosen(): the addresses that are picked; pick(nodes, on): somebody picked them, or no longer
  constructor(place, chosen, pick) {
    Object.assign(this, { place, chosen, pick });
    this.nodes = [];
  }

  show(nodes) {
    this.nodes = nodes;
    this.root = { name: "", branches: new Map(), leaves: [], count: 0 };
    for (const node of nodes) {
      const parts = node.path.split("/").filter(Boolean);
      let at = this.root;
      at.count++;
      for (const part of parts.slice(0, -1)) {
        if (!at.branches.has(part)) at.branches.set(part, { name: part, branches: new Map(), leaves: [], count: 0 });
        at = at.branches.get(part);
        at.count++;
      }
      at.leaves.push(node);
    }
  }

  filter(words) {
    const wanted = words.trim().toLowerCase();
    const picked = this.chosen();
    if (!wanted) return this.place.replaceChildren(this.inside(this.root, picked, this.nodes.length <= SMALL));
    const fits = this.nodes.filter((node) => `${node.path} ${node.address} ${node.name}`.toLowerCase().includes(wanted));
    const rows = fits.slice(0, SHOWN).map((node) => this.leaf(node, picked, node.path));
    const rest = fits.length > SHOWN ? [element("li", "quiet", here.t.moreNodes(fits.length - SHOWN))] : [];
    this.place.replaceChildren(element("p", "quiet", here.t.fitting(fits.length)), element("ul", "tree", ...rows, ...rest));
  }

  inside(branch, picked, open) {
    const made = element("ul", "tree");
    this.grow(made, branch.leaves, picked); // what machines say of themselves comes before alarms and the like
    for (const each of branch.branches.values()) made.append(element("li", "", this.branch(each, picked, open, branch.count === each.count)));
    return made;
  }

  grow(list, leaves, picked) {
    list.append(...leaves.slice(0, SHOWN).map((node) => this.leaf(node, picked)));
    if (leaves.length <= SHOWN) return;
    const more = element("button", "", here.t.moreNodes(leaves.length - SHOWN));
    more.type = "button";
    const item = element("li", "", more);
    more.addEventListener("click", () => {
      item.remove();
      this.grow(list, leaves.slice(SHOWN), this.chosen());
    });
    list.append(item);
  }

  branch(branch, picked, open, only = false) {
    const all = element("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", here.t.allOf(branch.name));
    all.addEventListener("change", () => {
      this.pick(leaves(branch), all.checked);
      this.mark();
    });
    const made = element("details", "", element("summary", "", element("strong", "", branch.name), element("span", "quiet", ` ${here.t.nodes(branch.count)}`)));
    const wrap = element("div", "branch", all, made);
    const fill = () => made.open && made.children.length === 1 && made.append(this.inside(branch, this.chosen(), false));
    made.addEventListener("toggle", fill);
    all.branch = branch;
    this.state(all, picked);
    if (open || only) {
      made.open = true;
      made.append(this.inside(branch, picked, open));
    }
    return wrap;
  }

  leaf(node, picked, title = "") {
    const input = element("input");
    Object.assign(input, { type: "checkbox", checked: picked.has(node.address), node });
    input.addEventListener("change", () => {
      this.pick([node], input.checked);
      this.mark();
    });
    const name = title || node.path.split("/").filter(Boolean).at(-1) || node.address;
    const value = element("span", "now", [short(node.value), node.offered].filter(Boolean).join(" "));
    const made = element("label", "leaf", input, element("span", "what", name), value, element("code", "quiet", node.address));
    return element("li", "", made);
  }

  // shows anew what is picked
  mark() {
    const picked = this.chosen();
    for (const input of this.place.querySelectorAll("input")) {
      if (input.node) input.checked = picked.has(input.node.address);
      else this.state(input, picked);
    }
  }

  state(input, picked) {
    const within = leaves(input.branch);
    const count = within.filter((node) => picked.has(node.address)).length;
    input.checked = count === within.length;
    input.indeterminate = count > 0 && count < within.length;
  }
}

// a measurement with as many digits as somebody reads
function short(value) {
  const number = Number(value);
  return value.length > 8 && Number.isFinite(number) ? number.toLocaleString(here.t.locale, { maximumSignificantDigits: 6 }) : value;
}

function leaves(branch) {
  return [...branch.leaves, ...[...branch.branches.values()].flatMap(leaves)];
}
