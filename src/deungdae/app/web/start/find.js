// Which addresses to look at, and who was found there.

import { $, button, element, put } from "../dom.js";
import { get, here, send } from "../shell.js";
import { Table } from "../table.js";
import { tell } from "./told.js";

const TYPES = ["opcua", "modbus", "mtconnect", "mqtt", "camera", "scanner"];
const FIRST = ["opcua", "modbus", "mtconnect", "mqtt"];
const PACE = 700; // ms between two looks at how far it is

export class Find {
  constructor(run, go) {
    Object.assign(this, { run, go, timer: null });
    $("find-form").addEventListener("submit", (event) => this.begin(event));
    $("find-stop").addEventListener("click", () => this.stop());
    $("find-hand").addEventListener("click", () => this.choose({ type: "opcua", url: "opc.tcp://", name: "", others: TYPES, machine: "" }));
    $("find-range").value = run.range ?? around();
    $("find-ports").value = run.ports ?? "";
  }

  leave() {
    this.gone = true;
    clearTimeout(this.timer);
    Object.assign(this.run, { range: $("find-range").value, ports: $("find-ports").value });
  }

  build() {
    const { t } = here;
    const chosen = this.run.types ?? FIRST;
    const boxes = TYPES.map((type) => {
      const input = element("input");
      Object.assign(input, { type: "checkbox", value: type, checked: chosen.includes(type) });
      input.addEventListener("change", () => (this.run.types = this.types()));
      return element("label", "check", input, ` ${t.types[type]}`);
    });
    $("find-types").replaceChildren($("find-types").querySelector("legend"), ...boxes);
    this.table = new Table({
      name: "machines",
      label: t.foundTitle,
      empty: t.foundNone,
      columns: [
        { key: (row) => t.types[row.type] ?? t.unknownType, title: t.nameType },
        { key: (row) => `${row.address}:${row.port}`, title: t.address },
        { key: (row) => row.name, title: t.callsItself },
        { key: (row) => (row.detail === "?" ? t.perhapsScanner : row.type ? row.detail : t.answersOtherwise), title: t.detail },
        { key: (row) => row.machine, title: t.already, show: (row) => (row.machine ? `✓ ${row.machine}` : this.chooser(row)) },
      ],
    });
    this.follow();
  }

  types() {
    return [...$("find-types").querySelectorAll("input:checked")].map((input) => input.value);
  }

  async begin(event) {
    event.preventDefault();
    tell($("find-error"), null);
    const body = { range: $("find-range").value, types: this.types(), ports: $("find-ports").value, confirmed: $("find-confirmed").checked };
    if (!body.types.length) return put($("find-error"), here.t.oneType);
    try {
      this.run.search = await send("search", body);
    } catch (problem) {
      if (problem.told?.rule === "public") $("find-public").hidden = false;
      return tell($("find-error"), problem);
    }
    this.follow();
  }

  follow() {
    if (this.gone) return;
    const { search } = this.run;
    const { t } = here;
    clearTimeout(this.timer);
    $("find-progress").hidden = !search;
    $("find-found").hidden = !search;
    if (!search) return;
    const running = search.state === "running";
    Object.assign($("find-bar"), { max: search.total, value: search.checked, hidden: !running });
    $("find-bar").setAttribute("aria-label", t.findTitle);
    $("find-stop").hidden = !running;
    $("find-go").disabled = running;
    put($("find-told"), t.searchStates[search.state](search.checked, search.total, search.found.length));
    if (!$("find-found").contains(this.table.element)) $("find-found").replaceChildren(this.table.element);
    this.table.element.hidden = running && !search.found.length;
    this.table.fill(search.found);
    if (running) this.timer = setTimeout(() => this.ask(), PACE);
  }

  async ask() {
    try {
      this.run.search = await get(`search/${this.run.search.id}`);
    } catch (problem) {
      tell($("find-error"), problem);
      if (problem.status === 404) this.run.search = null; // the server began anew
      else this.timer = setTimeout(() => this.ask(), 3 * PACE);
      return;
    }
    this.follow();
  }

  async stop() {
    try {
      this.run.search = await get(`search/${this.run.search.id}`, { method: "DELETE", headers: { "X-Deungdae": "1" } });
    } catch (problem) {
      return tell($("find-error"), problem);
    }
    this.follow();
  }

  chooser(row) {
    const made = button("", here.t.choose, () => this.choose(row));
    made.setAttribute("aria-label", here.t.chooseThis(`${row.address}:${row.port}`));
    return made;
  }

  choose(row) {
    const fits = row.type ? [row.type, ...row.others] : TYPES;
    const url = row.url || `tcp://${row.address}:${row.port}`;
    this.run.machine = { title: "", name: proposed(row), type: fits[0], url, settings: "", fits: [...new Set(fits)] };
    Object.assign(this.run, { nodes: null, picked: [], draft: null });
    this.go("name");
  }
}

// the addresses around the one by which this page was opened
function around() {
  const private4 = /^(10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(location.hostname);
  if (private4) return location.hostname.replace(/\.\d+$/, ".0/24");
  return location.hostname.startsWith("127.") || location.hostname === "localhost" ? "127.0.0.1" : "192.168.0.0/24";
}

function proposed(row) {
  const word = (row.name || row.type).toLowerCase().replace(/^deungdae /, "").replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "");
  return word.slice(0, 30);
}
