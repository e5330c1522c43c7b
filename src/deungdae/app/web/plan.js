// A plant as a drawn plan: lines with what waits between their stations, and groups of machines.
//
// The plan is laid out by the width that there is, in as many rows as that needs, or as people have
// arranged it. What changes is then put into the parts that are there, so that what a person points
// at stays.

import { drawn, lettered, onResize } from "./dom.js";
import { symbol } from "./symbols.js";

const STATION = { least: 132, most: 250, height: 152, own: 180 }; // own: width where people arranged them
const BUFFER = 70; // width of a column of buffers, with the arrows on both sides
const BOX = { width: 30, height: 46 }; // of a buffer's drawing
const GAP = 18; // between what stands above each other
const ROW = 26; // between rows
const TITLE = 26; // height of a group's title
const EDGE = 3; // around everything
const SMALLEST = 0.72; // an arranged plan that had to be drawn smaller cannot be read: it is laid out anew
const LARGEST = 1.2;

export const GRID = 20; // px of a unit of the plan at its full size

export class Plan {
  // parent: an SVG element of the page; open(asset): where a person goes from a station, or null
  constructor(parent, open = () => null) {
    this.svg = parent;
    parent.setAttribute("role", "group"); // each station in it says its own
    this.open = open;
    this.blocks = null;
    this.arranged = {};
    this.moving = null;
    this.parts = new Map();
    onResize(parent, () => this.draw());
  }

  // blocks: [{ title, stations: [{ name, title, asset, inputs, outputs }], buffers: [{ name, title, capacity }] }];
  // one without buffers is a group of machines. arranged: { asset: [x, y] } in units of the plan
  show(blocks, arranged = {}) {
    this.blocks = blocks.map((block, n) => ({ ...block, key: (name) => `${n}/${name}` }));
    this.arranged = arranged;
    this.draw();
  }

  // lets people move stations: moving = { begin(event, station), key(event, station), words(station) }, or null
  letMove(moving) {
    this.moving = moving;
    this.svg.classList.toggle("moving", moving !== null);
    this.draw();
  }

  get stations() {
    return this.blocks?.flatMap((block) => block.stations) ?? [];
  }

  // where the stations stand now, in units of the plan, by asset
  positions() {
    return Object.fromEntries(this.blocks.flatMap((block) => block.stations.map((station) => {
      const { x, y } = this.places.get(block.key(station.name));
      return [station.asset, [Math.max(0, Math.round(x / GRID)), Math.max(0, Math.round(y / GRID))]];
    })));
  }

  // px of the screen for a unit of the plan
  get scale() {
    return (GRID * this.svg.clientWidth) / this.svg.viewBox.baseVal.width;
  }

  draw() {
    if (!this.blocks) return;
    const width = this.svg.clientWidth;
    if (width < STATION.least) return; // the style sheet is not there yet
    const plan = (this.isArranged() && asArranged(this.blocks, this.arranged, width, this.moving)) || laidOut(this.blocks, width);
    Object.assign(this, { places: plan.places, size: plan.size });
    const focused = this.moving && document.activeElement?.dataset.station;
    this.parts = new Map();
    const content = [arrowhead()];
    if (this.moving) content.push(...grid(plan));
    for (const { title, x, y, width: wide } of plan.titles) content.push(lettered("group-name", x, y, fitted(title, wide, 15)));
    for (const block of this.blocks) {
      const at = (name) => plan.places.get(block.key(name));
      content.push(...edges(block).map((edge) => plan.flow(edge, at)));
      content.push(...block.buffers.filter((each) => at(each.name)).map((each) => this.buffer(block, each, at(each.name))));
    }
    for (const block of this.blocks) content.push(...block.stations.map((each) => this.station(block, each, plan.places.get(block.key(each.name)))));
    this.svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
    this.svg.setAttribute("height", Math.ceil((plan.height * width) / plan.width));
    this.svg.replaceChildren(...content);
    if (focused) this.svg.querySelector(`[data-station="${CSS.escape(focused)}"]`)?.focus();
    if (this.says) this.update(this.says);
  }

  isArranged() {
    return Object.keys(this.arranged).length > 0;
  }

  // says: { station(station) => { kind, mark, label, since, detail, figure, share, words }, buffer(buffer) => { level, words } }
  update(says) {
    this.says = says;
    for (const block of this.blocks ?? []) {
      for (const station of block.stations) this.tell(this.parts.get(block.key(station.name)), says.station(station));
      for (const buffer of block.buffers) fill(this.parts.get(block.key(buffer.name)), says.buffer(buffer), buffer);
    }
  }

  station(block, station, { x, y }) {
    const { width } = this.size;
    const height = STATION.height;
    const part = {
      band: drawn("rect", { class: "band", x: x + 1, y: y + 42, width: width - 2, height: 32 }),
      state: lettered("state-word", x + 10, y + 64, ""),
      since: lettered("since", x + 10, y + 93, ""),
      detail: lettered("detail", x + 10, y + 114, ""),
      figure: lettered("figure", x + 10, y + 137, ""),
      share: lettered("share end", x + width - 10, y + 137, ""),
      way: drawn("rect", { class: "way", x: x + 10, y: y + 142, width: width - 20, height: 4, rx: 2 }),
      made: drawn("rect", { class: "made", x: x + 10, y: y + 142, width: 0, height: 4, rx: 2 }),
      title: drawn("title", {}),
      room: width - 20,
    };
    const lines = drawn("path", { class: "symbol", d: symbol(`${station.name} ${station.title}`), transform: `translate(${x + 10} ${y + 9})` });
    const name = lettered("name", x + 41, y + 27, fitted(station.title, width - 50, 15));
    const frame = drawn("rect", { class: "frame", x, y, width, height, rx: 8 });
    const content = [part.title, frame, part.band, lines, name, part.state, part.since, part.detail, part.figure, part.share, part.way, part.made];
    part.group = this.moving ? this.movable(station, content) : this.link(station, content);
    part.group.dataset.station = station.name;
    this.parts.set(block.key(station.name), part);
    return part.group;
  }

  link(station, content) {
    const target = this.open(station.asset);
    return drawn(target ? "a" : "g", target ? { href: target } : {}, ...content);
  }

  movable(station, content) {
    const group = drawn("g", { tabindex: 0, role: "button", "aria-roledescription": this.moving.words(station).kind, "aria-label": this.moving.words(station).label }, ...content);
    group.addEventListener("pointerdown", (event) => this.moving.begin(event, station));
    group.addEventListener("keydown", (event) => this.moving.key(event, station));
    return group;
  }

  tell(part, { kind, mark, label, since, detail, figure, share = null, words }) {
    if (!part) return;
    const key = [kind, words].join("|");
    if (part.key === key) return;
    part.key = key;
    part.group.setAttribute("class", `station ${kind}`);
    part.state.textContent = fitted(`${mark} ${label}`, part.room, 17);
    part.since.textContent = since;
    part.detail.textContent = fitted(detail, part.room, 14);
    part.figure.textContent = figure;
    part.share.textContent = share === null ? "" : `${Math.round(share * 100)} %`;
    part.way.setAttribute("visibility", share === null ? "hidden" : "visible");
    part.made.setAttribute("width", part.room * Math.min(1, share ?? 0));
    part.title.textContent = words;
  }

  buffer(block, buffer, { x, y }) {
    const left = x - BOX.width / 2;
    const part = {
      full: drawn("rect", { class: "full", x: left + 2, y: y + BOX.height - 2, width: BOX.width - 4, height: 0 }),
      count: lettered("count middle", x, y + BOX.height + 17, ""),
      title: drawn("title", {}),
      bottom: y + BOX.height - 2,
    };
    const frame = drawn("rect", { class: "frame", x: left, y, width: BOX.width, height: BOX.height, rx: 3 });
    part.group = drawn("g", { class: "buffer" }, part.title, frame, part.full, part.count);
    part.group.dataset.buffer = buffer.name;
    this.parts.set(block.key(buffer.name), part);
    return part.group;
  }
}

function fill(part, { level, words }, { capacity }) {
  if (!part || part.level === level) return;
  part.level = level;
  const share = level === null ? 0 : capacity ? Math.min(1, level / capacity) : Math.min(1, level / 10);
  const height = (BOX.height - 4) * share;
  part.full.setAttribute("y", part.bottom - height);
  part.full.setAttribute("height", height);
  part.count.textContent = level === null ? "–" : capacity ? `${level}/${capacity}` : String(level);
  part.group.setAttribute("class", `buffer ${level === null ? "none" : share >= 1 ? "brimful" : share === 0 ? "empty" : ""}`);
  part.title.textContent = words;
}

// ---- laid out by the width that there is

function laidOut(blocks, width) {
  const plan = { places: new Map(), titles: [], width, height: EDGE, size: { width: STATION.most }, flow: (edge, at) => flow(edge, at, width) };
  const lines = blocks.filter((block) => block.buffers.length);
  for (const block of lines) {
    const { places, height, size } = arrange(block, width);
    const top = plan.height + named(plan, block, EDGE, plan.height, width);
    for (const [name, place] of places) plan.places.set(block.key(name), lowered(place, top - EDGE));
    plan.height = top - EDGE + height + ROW;
    plan.size.width = Math.min(plan.size.width, size.width);
  }
  shelve(plan, blocks.filter((block) => !block.buffers.length), width);
  plan.height += EDGE - ROW;
  return plan;
}

// puts groups of machines beside each other, as many as fit
function shelve(plan, groups, width) {
  const room = width - 2 * EDGE;
  const fit = Math.max(1, Math.floor((room + GAP) / (plan.size.width + GAP)));
  const step = plan.size.width + GAP;
  let column = 0;
  let tall = 0;
  for (const group of groups) {
    const columns = Math.min(fit, group.stations.length);
    if (column + columns > fit) {
      plan.height += tall + ROW;
      column = tall = 0;
    }
    const left = EDGE + column * step;
    const head = named(plan, group, left, plan.height, columns * step - GAP);
    group.stations.forEach((station, n) => {
      const x = left + (n % columns) * step;
      const y = plan.height + head + Math.floor(n / columns) * (STATION.height + GAP);
      plan.places.set(group.key(station.name), { x, y, ...ofStation(x, y, plan.size.width) });
    });
    tall = Math.max(tall, head + Math.ceil(group.stations.length / columns) * (STATION.height + GAP) - GAP);
    column += columns;
  }
  plan.height += groups.length ? tall + ROW : 0;
}

// writes the title of a block; returns the height that it takes
function named(plan, block, x, y, width) {
  if (!block.title) return 0;
  plan.titles.push({ title: block.title, x, y: y + 15, width });
  return TITLE;
}

function lowered(place, by) {
  return { ...place, y: place.y + by, top: place.top + by, middle: place.middle + by, bottom: place.bottom + by };
}

// who feeds whom: [from, to, back]; back: the way of rework, against the flow
function edges(line) {
  const found = [];
  for (const station of line.stations) {
    for (const buffer of station.inputs) found.push([buffer, station.name]);
    for (const buffer of station.outputs) found.push([station.name, buffer]);
  }
  const known = new Set([...line.stations, ...line.buffers].map((each) => each.name));
  const rank = ranks(line);
  return found.filter(([from, to]) => known.has(from) && known.has(to)).map(([from, to]) => [from, to, rank.get(to) <= rank.get(from)]);
}

// how far from the start each part stands: the longest way to it, ways back left out
function ranks(line) {
  const before = new Map();
  const after = (name) => line.stations.find((each) => each.name === name)?.outputs ?? line.stations.filter((each) => each.inputs.includes(name)).map((each) => each.name);
  const visit = (name, depth, way) => {
    if (way.includes(name) || (before.get(name) ?? -1) >= depth) return;
    before.set(name, depth);
    for (const next of after(name)) visit(next, depth + 1, [...way, name]);
  };
  const fed = new Set(line.stations.flatMap((each) => each.outputs));
  for (const station of line.stations) if (!station.inputs.some((buffer) => fed.has(buffer))) visit(station.name, station.inputs.length ? 2 : 0, []);
  for (const station of line.stations) if (!before.has(station.name)) visit(station.name, 0, []);
  for (const buffer of line.buffers) if (!before.has(buffer.name)) visit(buffer.name, 1, []);
  return before;
}

function arrange(line, width) {
  const rank = ranks(line);
  const columns = [];
  for (const each of [...line.stations, ...line.buffers]) (columns[rank.get(each.name)] ??= []).push(each.name);
  const bays = Math.ceil(columns.length / 2);
  const fit = Math.max(1, Math.floor((width - 2 * EDGE + BUFFER) / (STATION.least + BUFFER)));
  const rows = Math.ceil(bays / fit);
  const per = Math.ceil(bays / rows);
  const trailing = rows > 1 ? BUFFER : columns.length % 2 === 0 ? BUFFER : 0;
  const own = (width - 2 * EDGE - trailing - (per - 1) * BUFFER) / per;
  const size = { width: Math.min(STATION.most, own) };
  const places = new Map();
  let top = EDGE;
  for (let row = 0; row < rows; row++) {
    const mine = columns.slice(row * per * 2, (row + 1) * per * 2);
    const tall = Math.max(...mine.map((names, n) => stack(names ?? [], n)));
    mine.forEach((names, n) => {
      const left = EDGE + Math.floor(n / 2) * (size.width + BUFFER) + (n % 2 ? size.width + BUFFER / 2 : 0);
      let y = top + (tall - stack(names ?? [], n)) / 2;
      for (const name of names ?? []) {
        places.set(name, { x: left, y, row, top, ...(n % 2 ? ofBuffer(left, y) : ofStation(left, y, size.width)) });
        y += tallOf(n) + GAP;
      }
    });
    top += tall + ROW;
  }
  const back = edges(line).some(([, , against]) => against) ? 8 : 0;
  return { places, size, height: top - ROW + EDGE + back };
}

function ofStation(x, y, width) {
  return { half: width / 2, centre: x + width / 2, middle: y + STATION.height / 2, bottom: y + STATION.height };
}

function ofBuffer(x, y) {
  return { half: BOX.width / 2, centre: x, middle: y + BOX.height / 2, bottom: y + tallOf(1) };
}

// n: of the column; every other holds buffers, each with its count below
function tallOf(n) {
  return n % 2 ? BOX.height + 22 : STATION.height;
}

function stack(names, n) {
  return names.length * (tallOf(n) + GAP) - GAP;
}

function flow([from, to, back], at, width) {
  const [a, b] = [at(from), at(to)];
  const x1 = a.centre + a.half;
  const x2 = b.centre - b.half - 4;
  let d = "";
  if (back) {
    const low = Math.max(a.bottom, b.bottom) + 6;
    d = `M${a.centre} ${a.bottom}V${low}H${b.centre}V${b.bottom + 4}`;
  } else if (a.row !== b.row) {
    const gutter = b.top - ROW / 2;
    const out = Math.min(width - 2, x1 + 12);
    d = `M${x1} ${a.middle}H${out}V${gutter}H${b.centre}V${b.y - 4}`;
  } else {
    const half = b.centre - b.half - (b.half < BOX.width ? 12 : 14);
    d = a.middle === b.middle ? `M${x1} ${a.middle}H${x2}` : `M${x1} ${a.middle}H${half}V${b.middle}H${x2}`;
  }
  return way(d, back);
}

function way(d, back) {
  return drawn("path", { class: back ? "flow back" : "flow", d, "marker-end": "url(#arrow)" });
}

function arrowhead() {
  const tip = drawn("path", { class: "tip", d: "M0 0 7 4 0 8z" });
  return drawn("defs", {}, drawn("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 4, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, tip));
}

// ---- as people arranged it

// returns null where it could not be read in the width that there is; moving: it must stay as it is
function asArranged(blocks, arranged, width, moving) {
  const size = { width: STATION.own };
  const places = new Map();
  const strays = [];
  for (const block of blocks) {
    for (const station of block.stations) {
      const found = arranged[station.asset];
      if (found) put(places, block.key(station.name), found[0] * GRID + EDGE, found[1] * GRID + EDGE);
      else strays.push(block.key(station.name));
    }
  }
  const reach = [...places.values()].reduce(([x, y], place) => [Math.max(x, place.x + size.width), Math.max(y, place.bottom)], [0, 0]);
  const across = Math.max(1, Math.floor((reach[0] + GAP) / (size.width + GAP)));
  strays.forEach((key, n) => put(places, key, EDGE + (n % across) * (size.width + GAP), reach[1] + ROW + Math.floor(n / across) * (STATION.height + GAP)));
  for (const block of blocks) for (const buffer of block.buffers) between(places, block, buffer);
  const all = [...places.values()];
  const margin = moving ? GRID * 4 : EDGE;
  const right = Math.max(...all.map((place) => place.centre + place.half)) + margin;
  const scale = Math.min(LARGEST, width / right);
  if (scale < SMALLEST && !moving) return null;
  return { places, size, titles: [], width: width / scale, height: Math.max(...all.map((place) => place.bottom)) + margin, flow: straight };
}

function put(places, key, x, y) {
  places.set(key, { x, y, ...ofStation(x, y, STATION.own) });
}

// puts a buffer between those that fill it and those that empty it, or beside the only ones
function between(places, block, buffer) {
  const centre = (stations) => {
    const found = stations.map((station) => places.get(block.key(station.name)));
    const mean = (name) => found.reduce((sum, place) => sum + place[name], 0) / found.length;
    return found.length ? { x: mean("centre"), y: mean("middle") } : null;
  };
  const from = centre(block.stations.filter((station) => station.outputs.includes(buffer.name)));
  const to = centre(block.stations.filter((station) => station.inputs.includes(buffer.name)));
  if (!from && !to) return;
  const beside = STATION.own / 2 + BUFFER / 2;
  const onward = from && (!to || to.x < from.x - STATION.own); // to another row: it stands at the end of this one
  const x = onward ? from.x + beside : from ? (from.x + to.x) / 2 : Math.max(BOX.width / 2 + EDGE, to.x - beside);
  const y = (onward || !to ? from.y : from ? (from.y + to.y) / 2 : to.y) - BOX.height / 2;
  places.set(block.key(buffer.name), { x, y, ...ofBuffer(x, y) });
}

function straight([from, to, back], at) {
  const [a, b] = [at(from), at(to)];
  if (!a || !b) return "";
  const [dx, dy] = [b.centre - a.centre, b.middle - a.middle];
  const gutter = b.y - ROW / 2;
  if (dx < 0 && gutter > a.bottom && !back) return way(`M${a.centre + a.half} ${a.middle}h12V${gutter}H${b.centre}V${b.y - 4}`, back);
  if (Math.abs(dx) > a.half + b.half + 8) {
    const side = Math.sign(dx);
    const [x1, x2] = [a.centre + side * a.half, b.centre - side * (b.half + 4)];
    return way(Math.abs(dy) < 2 ? `M${x1} ${a.middle}H${x2}` : `M${x1} ${a.middle}H${(x1 + x2) / 2}V${b.middle}H${x2}`, back);
  }
  const [y1, y2] = dy > 0 ? [a.bottom, b.y - 4] : [a.y, b.bottom + 4];
  return way(Math.abs(dx) < 2 ? `M${a.centre} ${y1}V${y2}` : `M${a.centre} ${y1}V${(y1 + y2) / 2}H${b.centre}V${y2}`, back);
}

function grid({ width, height }) {
  const dots = drawn("pattern", { id: "grid", width: GRID, height: GRID, patternUnits: "userSpaceOnUse", x: EDGE, y: EDGE }, drawn("circle", { cx: 0.8, cy: 0.8, r: 0.8 }));
  return [drawn("defs", {}, dots), drawn("rect", { class: "grid", x: 0, y: 0, width, height, fill: "url(#grid)" })];
}

// ---- words that fit

// about how wide a text is, px: Korean letters are as wide as they are high
function wide(text, size) {
  let sum = 0;
  for (const letter of text) sum += letter.charCodeAt(0) > 0x2e80 ? 0.98 : /[A-Z0-9%▶■◆◐]/.test(letter) ? 0.66 : 0.54;
  return sum * size;
}

function fitted(text, room, size) {
  if (wide(text, size) <= room) return text;
  let cut = text;
  while (cut && wide(`${cut}…`, size) > room) cut = cut.slice(0, -1);
  return `${cut.trimEnd()}…`;
}
