// Which of what a machine offers shall be signals, with their names and units; checked while typing.

import { $, button, element, put } from "../dom.js";
import { say } from "../said.js";
import { get, here, send } from "../shell.js";
import { asked } from "./name.js";
import { read } from "./registers.js";
import { tell } from "./told.js";
import { Tree } from "./tree.js";

const PAUSE = 600; // ms after the last key until all is checked
const ROWS = 200; // picked signals that can be edited here; the rest in the file
const FIELDS = ["id", "name", "address", "unit", "kind", "access", "low", "high", "scale", "states"];
const KINDS = ["number", "state", "text", "scan", "alarm", "image"];

export class Pick {
  constructor(run, go) {
    Object.assign(this, { run, go, timer: null, job: null, faults: [] });
    this.tree = new Tree($("pick-tree"), () => new Set(this.run.picked.map((each) => each.address)), (nodes, on) => this.pick(nodes, on));
    $("pick-search").addEventListener("input", () => this.tree.filter($("pick-search").value));
    $("pick-back").addEventListener("click", () => this.go("name"));
    $("pick-go").addEventListener("click", () => this.review());
    $("map-take").addEventListener("click", () => this.paste());
    $("map-add").addEventListener("click", () => this.add([{ address: "holding/0?uint16" }]));
    $("map-scan").addEventListener("click", () => this.scan());
  }

  leave() {
    this.gone = true;
    clearTimeout(this.timer);
    clearTimeout(this.looking);
  }

  build() {
    const { t } = here;
    const { nodes, machine } = this.run;
    $("pick-offered").hidden = !nodes.length;
    $("pick-map").hidden = machine.type !== "modbus" && nodes.length > 0;
    $("map-scan").hidden = machine.type !== "modbus";
    $("pick-rows").setAttribute("aria-label", t.pickedTitle);
    $("pick-units").replaceChildren(...Object.entries(t.ucum).map(([code, word]) => {
      const made = element("option", "", word);
      made.value = code;
      return made;
    }));
    this.tree.show(nodes);
    this.tree.filter($("pick-search").value);
    this.rows();
    this.check();
  }

  // on: whether they are picked from now on
  pick(nodes, on) {
    const gone = new Set(nodes.map((node) => node.address));
    this.run.picked = this.run.picked.filter((each) => !gone.has(each.address));
    if (on) this.run.picked.push(...nodes.map(signalOf));
    this.later();
    this.rows();
  }

  add(signals) {
    const { name } = this.run.machine;
    const ids = new Set(this.run.picked.map((each) => each.id));
    for (const each of signals) {
      const stem = `${name}.${slug(each.name) || slug(each.address.split("?")[0]) || "value"}`;
      let id = each.id || stem;
      for (let n = 2; ids.has(id); n++) id = `${stem}_${n}`;
      ids.add(id);
      this.run.picked.push({ name: "", unit: "1", kind: "number", access: "r", low: "", high: "", scale: "", states: "", ...each, id });
    }
    this.later();
    this.rows();
  }

  paste() {
    const { signals, wrong } = read($("map-paste").value);
    this.add(signals);
    if (!wrong.length) $("map-paste").value = "";
    put($("map-told"), wrong.length ? here.t.mapWrong(wrong.join(" · ")) : here.t.mapTaken(signals.length));
  }

  async scan() {
    try {
      this.job = await send("browse", asked(this.run.machine));
      this.look();
    } catch (problem) {
      tell($("map-told"), problem);
    }
  }

  look() {
    if (this.gone) return;
    const { state, count, problem, remedy, nodes, id } = this.job;
    put($("map-told"), state === "failed" ? `${say(problem)} — ${say(remedy)}` : here.t.browsing(count));
    if (state === "running") this.looking = setTimeout(() => get(`browse/${id}`).then((job) => ((this.job = job), this.look())).catch((error) => tell($("map-told"), error)), PAUSE);
    if (state !== "done") return;
    this.run.nodes = nodes;
    this.build();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), PAUSE);
    $("pick-go").disabled = true;
  }

  async check() {
    const turn = (this.turn = {});
    const { picked, machine } = this.run;
    put($("pick-count"), here.t.picked(picked.length));
    $("pick-go").disabled = true;
    if (!picked.length) return this.show([]);
    const signals = picked.map((each) => Object.fromEntries(FIELDS.filter((field) => each[field] !== undefined && each[field] !== null && each[field] !== "").map((field) => [field, String(each[field])])));
    try {
      const draft = await send("drafts", { machine: asked(machine), signals });
      if (turn !== this.turn || this.gone) return;
      this.run.draft = draft;
      this.show(draft.faults);
      $("pick-go").disabled = draft.faults.length > 0;
    } catch (problem) {
      if (turn === this.turn && !this.gone) this.show([{ row: null, field: "", fault: { problem: [problem.message, ...(problem.told?.faults ?? []).map((fault) => say(fault))].join(" · "), remedy: "", key: "", value: "", file: "" } }]);
    }
  }

  show(faults) {
    this.faults = faults;
    const rows = [...$("pick-rows").querySelectorAll("tbody tr")];
    for (const input of $("pick-rows").querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    for (const { row, field } of faults) {
      const place = field === "source" ? "address" : field;
      rows[row]?.querySelector(`[data-field="${place}"]`)?.setAttribute("aria-invalid", "true");
    }
    $("pick-faults").replaceChildren(...faults.slice(0, 20).map(({ row, field, fault }) => {
      const where = row === null ? [fault.file, fault.line && here.t.lineOf(fault.line)].filter(Boolean).join(" ") : this.run.picked[row]?.id;
      return element("li", "", element("strong", "", where || here.t.theMachine), ` — ${row === null ? fault.key : (here.t.fields[field] ?? field)}${fault.value ? ` = ${fault.value}` : ""}: ${say(fault.problem)}`, fault.remedy ? ` (${say(fault.remedy)})` : "");
    }), ...(faults.length > 20 ? [element("li", "", here.t.moreFaults(faults.length - 20))] : []));
  }

  rows() {
    const { t } = here;
    const { picked } = this.run;
    put($("pick-count"), t.picked(picked.length));
    if (!picked.length) return $("pick-rows").replaceChildren(element("p", "quiet", t.pickNone));
    const mapped = $("pick-offered").hidden || this.run.machine.type === "modbus";
    const titles = [t.fieldName, t.fieldId, ...(mapped ? [t.fieldAddress] : []), t.fieldUnit, t.fieldKind, t.fieldLow, t.fieldHigh, ...(mapped ? [t.fieldScale] : []), ""];
    const head = element("tr", "", ...titles.map((title) => element("th", "", title)));
    for (const each of head.children) each.scope = "col";
    const body = picked.slice(0, ROWS).map((signal, n) => this.row(signal, n, mapped));
    const more = picked.length > ROWS ? element("p", "quiet", t.editRest(picked.length - ROWS)) : "";
    $("pick-rows").replaceChildren(element("table", "table", element("thead", "", head), element("tbody", "", ...body)), more);
    this.show(this.faults.filter((fault) => (fault.row ?? 0) < picked.length));
  }

  row(signal, n, mapped) {
    const { t } = here;
    const field = (name, title, size) => {
      const input = element("input", size);
      Object.assign(input, { value: signal[name] ?? "", autocomplete: "off", spellcheck: name === "name" });
      input.dataset.field = name;
      input.setAttribute("aria-label", `${title}: ${signal.id}`);
      if (name === "unit") input.setAttribute("list", "pick-units");
      input.addEventListener("input", () => {
        signal[name] = input.value;
        this.later();
      });
      return element("td", "", input);
    };
    const kind = element("select");
    kind.dataset.field = "kind";
    kind.setAttribute("aria-label", `${t.fieldKind}: ${signal.id}`);
    kind.append(...KINDS.map((each) => Object.assign(element("option", "", t.kinds[each]), { value: each, selected: each === signal.kind })));
    kind.addEventListener("change", () => {
      signal.kind = kind.value;
      this.later();
    });
    const drop = button("", "✕", () => {
      this.run.picked.splice(this.run.picked.indexOf(signal), 1);
      this.tree.mark();
      this.later();
      this.rows();
    });
    drop.setAttribute("aria-label", t.drop(signal.id));
    drop.title = t.drop(signal.id);
    const cells = [field("name", t.fieldName, "long"), field("id", t.fieldId, "long"), mapped && field("address", t.fieldAddress, "long"), field("unit", t.fieldUnit, "short"), element("td", "", kind), field("low", t.fieldLow, "short"), field("high", t.fieldHigh, "short"), mapped && field("scale", t.fieldScale, "short"), element("td", "", drop)];
    return element("tr", "", ...cells.filter(Boolean));
  }

  async review() {
    clearTimeout(this.timer);
    await this.check();
    if (this.run.draft && !this.faults.length && this.run.picked.length) this.go("review");
  }
}

function signalOf({ address, id, name, unit, kind, access, low, high }) {
  return { address, id, name, unit, kind, access, low: low ?? "", high: high ?? "", scale: "", states: "" };
}

function slug(words) {
  return (words ?? "").toLowerCase().replace(/[^a-z0-9_-]+/g, "_").replace(/^[_-]+|[_-]+$/g, "");
}
