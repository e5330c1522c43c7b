// A line as a drawn plan: stations in their order, what waits between them, how parts flow.
//
// The plan is laid out by the width that there is, in as many rows as that needs; what changes is
// then put into the parts that are there, so that what a person points at stays.

import { drawn, lettered, onResize } from "./dom.js";
import { symbol } from "./symbols.js";

const STATION = { least: 132, most: 196, height: 128 };
const BUFFER = 70; // width of a column of buffers, with the arrows on both sides
const BOX = { width: 30, height: 46 }; // of a buffer's drawing
const GAP = 18; // between what stands above each other
const ROW = 26; // between rows
const EDGE = 3; // around everything

export class Plan {
  // parent: an SVG element of the page; open(asset): where a person goes from a station, or null
  constructor(parent, open = () => null) {
    this.svg = parent;
    parent.setAttribute("role", "group"); // each station in it says its own
    this.open = open;
    this.line = null;
    this.parts = new Map();
    onResize(parent, () => this.draw());
  }

  // line: { stations: [{ name, title, asset, inputs, outputs }], buffers: [{ name, title, capacity }] }
  show(line) {
    this.line = line;
    this.draw();
  }

  draw() {
    if (!this.line) return;
    const width = this.svg.clientWidth;
    if (width < STATION.least) return; // the style sheet is not there yet
    const { places, height, size } = arrange(this.line, width);
    this.size = size;
    this.parts = new Map();
    const flows = edges(this.line).map((edge) => flow(edge, places, width));
    const buffers = this.line.buffers.filter((each) => places.has(each.name)).map((each) => this.buffer(each, places.get(each.name)));
    const stations = this.line.stations.map((each) => this.station(each, places.get(each.name)));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren(arrowhead(), ...flows, ...buffers, ...stations);
    if (this.says) this.update(this.says);
  }

  // says: { station(station) => { kind, mark, label, since, detail, figure }, buffer(buffer) => { level, words } }
  update(says) {
    this.says = says;
    for (const station of this.line?.stations ?? []) this.tell(this.parts.get(station.name), says.station(station));
    for (const buffer of this.line?.buffers ?? []) fill(this.parts.get(buffer.name), says.buffer(buffer), buffer);
  }

  station(station, place) {
    const { x, y } = place;
    const { width } = this.size;
    const height = STATION.height;
    const room = width - 50;
    const part = {
      band: drawn("rect", { class: "band", x: x + 1, y: y + 42, width: width - 2, height: 32 }),
      state: lettered("state-word", x + 10, y + 64, ""),
      since: lettered("since", x + 10, y + 92, ""),
      detail: lettered("detail", x + 10, y + 115, ""),
      figure: lettered("figure end", x + width - 10, y + 115, ""),
      title: drawn("title", {}),
      room: width - 20,
    };
    const lines = drawn("path", { class: "symbol", d: symbol(`${station.name} ${station.title}`), transform: `translate(${x + 10} ${y + 9})` });
    const name = lettered("name", x + 41, y + 27, fitted(station.title, room, 15));
    const frame = drawn("rect", { class: "frame", x, y, width, height, rx: 8 });
    const content = [part.title, frame, part.band, lines, name, part.state, part.since, part.detail, part.figure];
    const target = this.open(station.asset);
    part.group = drawn(target ? "a" : "g", target ? { href: target } : {}, ...content);
    part.group.dataset.station = station.name;
    this.parts.set(station.name, part);
    return part.group;
  }

  tell(part, { kind, mark, label, since, detail, figure, words }) {
    if (!part) return;
    const key = [kind, label, since, detail, figure].join("|");
    if (part.key === key) return;
    part.key = key;
    part.group.setAttribute("class", `station ${kind}`);
    part.state.textContent = fitted(`${mark} ${label}`, part.room, 17);
    part.since.textContent = since;
    part.detail.textContent = fitted(detail, part.room - (figure ? wide(figure, 14) + 8 : 0), 14);
    part.figure.textContent = figure;
    part.title.textContent = words;
  }

  buffer(buffer, { x, y }) {
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
    this.parts.set(buffer.name, part);
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

// ---- where everything stands

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

function flow([from, to, back], places, width) {
  const [a, b] = [places.get(from), places.get(to)];
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
  return drawn("path", { class: back ? "flow back" : "flow", d, "marker-end": "url(#arrow)" });
}

function arrowhead() {
  const tip = drawn("path", { class: "tip", d: "M0 0 7 4 0 8z" });
  return drawn("defs", {}, drawn("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 4, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, tip));
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
