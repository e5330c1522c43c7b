// A table that can be sorted and taken away as CSV, XLSX or Parquet.

import { button, element, put } from "./dom.js";
import { menu } from "./menu.js";
import { number } from "./format.js";
import { fetched, here, moment, unitOf } from "./shell.js";

const SHOWN = 300; // rows at first; more come when asked for

export class Table {
  // name: of the file. columns: [{ key, title, kind: "text" | "number" | "time", unit, show }] where
  // show(row) may give what stands in the cell; key is a name in a row, or a function of a row that
  // gives the plain value; one that is `aside` is not taken away. empty: said where there is no row. label: for those who do not see it.
  // select(row): when one is clicked; look(row): its class.
  constructor({ name, columns, empty = "", label = name, select = null, look = () => "" }) {
    Object.assign(this, { name, columns, empty, select, look });
    this.rows = [];
    this.by = null; // the column it is sorted by
    this.down = false;
    this.shown = SHOWN;
    this.head = element("tr", "", ...columns.map((column) => this.title(column)));
    this.body = element("tbody");
    this.table = element("table", "table", element("thead", "", this.head), this.body);
    this.table.setAttribute("aria-label", label);
    this.note = element("p", "quiet");
    this.more = button("", "", () => this.grow());
    this.export = menu("⤓", here.t.takeAway, ["csv", "xlsx", "parquet"].map((form) => [form.toUpperCase(), () => this.take(form)]));
    const wrap = element("div", "scroll", this.table);
    wrap.tabIndex = 0; // a wide one is moved by keyboard
    wrap.setAttribute("role", "region");
    wrap.setAttribute("aria-label", label);
    this.element = element("div", "tabled", element("div", "tools", this.note, this.export), wrap, this.more);
    this.fill([]);
  }

  fill(rows) {
    this.rows = rows;
    this.draw();
  }

  title(column) {
    const words = column.unit ? `${column.title} (${unitOf(column.unit)})` : column.title;
    const made = element("th", column.kind === "number" ? "figure-cell" : "", button("link", words, () => this.sort(column)));
    made.scope = "col";
    return made;
  }

  sort(column) {
    this.down = this.by === column ? !this.down : column.kind === "number" || column.kind === "time";
    this.by = column;
    this.columns.forEach((each, n) => {
      if (each === column) this.head.children[n].setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else this.head.children[n].removeAttribute("aria-sort");
    });
    this.draw();
  }

  sorted() {
    if (!this.by) return this.rows;
    const value = (row) => plain(this.by, row);
    const order = (a, b) => {
      const [one, two] = [value(a), value(b)];
      if (one === two) return 0;
      if (one === null || one === "") return 1; // what is missing stands last, either way
      if (two === null || two === "") return -1;
      const less = typeof one === "number" ? one - two : String(one).localeCompare(String(two), here.t.locale, { numeric: true });
      return this.down ? -less : less;
    };
    return [...this.rows].sort(order);
  }

  draw() {
    const { t } = here;
    const rows = this.sorted();
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) => this.row(row)));
    this.table.hidden = !rows.length;
    this.export.hidden = !rows.length;
    this.more.hidden = rows.length <= this.shown;
    this.more.textContent = t.moreRows(rows.length - this.shown);
    put(this.note, rows.length ? t.rows(rows.length) : this.empty || t.nothingHere);
  }

  grow() {
    this.shown += SHOWN;
    this.draw();
  }

  row(row) {
    const made = element("tr", this.look(row), ...this.columns.map((column) => cell(column, row)));
    if (this.select) made.addEventListener("click", () => this.select(row));
    return made;
  }

  async take(form) {
    const told = this.columns.filter((column) => !column.aside);
    const columns = told.map(({ title, kind = "text", unit = "" }) => ({ title, kind, unit }));
    const rows = this.sorted().map((row) => told.map((column) => plain(column, row)));
    const body = JSON.stringify({ name: this.name, columns, rows });
    await save(`tables?format=${form}`, `${this.name}.${form}`, { method: "POST", body });
  }
}

// asks the API for a file and gives it to the person
export async function save(path, name, options) {
  const link = element("a");
  link.href = URL.createObjectURL(await fetched(path, options));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function plain(column, row) {
  const value = typeof column.key === "function" ? column.key(row) : row[column.key];
  return value ?? null;
}

function cell(column, row) {
  const value = plain(column, row);
  const shown = column.show ? column.show(row) : words(column.kind, value);
  return element("td", column.kind === "number" ? "figure-cell" : "", ...[shown].flat());
}

function words(kind, value) {
  if (value === null || value === "") return "–";
  if (kind === "number") return number(value, here.t.locale);
  return kind === "time" ? moment(value) : String(value);
}
