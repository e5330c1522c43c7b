// What the machine is called, and how it is reached; then it is asked what it offers.

import { $, element, put } from "../dom.js";
import { get, here, send } from "../shell.js";
import { tell } from "./told.js";

const PACE = 500;
const TYPES = ["opcua", "modbus", "mtconnect", "mqtt", "sparkplug", "camera", "scanner"];
const FIELDS = ["title", "id", "type", "url", "settings"];

export class Name {
  constructor(run, go) {
    Object.assign(this, { run, go, timer: null, job: null });
    $("name-form").addEventListener("submit", (event) => this.submit(event));
    $("name-back").addEventListener("click", () => this.back());
    $("name-stop").addEventListener("click", () => this.stop());
    $("name-type").addEventListener("change", () => this.note());
    for (const field of FIELDS) $(`name-${field}`).addEventListener("input", () => this.keep());
  }

  leave() {
    this.gone = true;
    clearTimeout(this.timer);
  }

  build() {
    const { machine } = this.run;
    const types = machine.fits.length > 1 ? [...new Set([...machine.fits, ...TYPES])] : TYPES;
    $("name-type").replaceChildren(...types.map((type) => {
      const made = element("option", "", here.t.types[type]);
      made.value = type;
      return made;
    }));
    Object.assign($("name-title"), { value: machine.title });
    $("name-id").value = machine.name;
    $("name-type").value = machine.type;
    $("name-url").value = machine.url;
    $("name-settings").value = machine.settings;
    this.note();
    this.busy();
  }

  keep() {
    const [title, name, type, url, settings] = FIELDS.map((field) => $(`name-${field}`).value);
    Object.assign(this.run.machine, { title: title.trim(), name: name.trim(), type, url: url.trim(), settings });
  }

  note() {
    this.keep();
    const { t } = here;
    put($("name-note"), t.typeNotes[this.run.machine.type] ?? "");
    put($("name-go"), this.run.machine.type === "modbus" ? t.nameGoMap : t.nameGo);
  }

  busy() {
    $("name-progress").hidden = !this.job;
    $("name-go").disabled = Boolean(this.job);
  }

  back() {
    this.keep();
    this.go("find");
  }

  async submit(event) {
    event.preventDefault();
    this.keep();
    tell($("name-error"), null);
    const { machine } = this.run;
    if (!/^[a-z][a-z0-9_]*$/.test(machine.name)) {
      put($("name-error"), here.t.nameIdHelp);
      return $("name-id").focus();
    }
    try {
      await send("drafts", { machine: asked(machine), signals: [] }); // its name, type and settings
    } catch (problem) {
      return tell($("name-error"), problem);
    }
    if (machine.type === "modbus") {
      this.run.nodes ??= [];
      return this.go("pick");
    }
    this.browse();
  }

  async browse() {
    try {
      this.job = await send("browse", asked(this.run.machine));
    } catch (problem) {
      return tell($("name-error"), problem);
    }
    this.follow();
  }

  follow() {
    if (this.gone) return;
    this.busy();
    if (!this.job) return;
    const { state, count, nodes, problem, remedy, more } = this.job;
    put($("name-told"), here.t.browsing(count));
    if (state === "running") return (this.timer = setTimeout(() => this.ask(), PACE));
    this.job = null;
    this.busy();
    if (state === "failed") return put($("name-error"), [problem, remedy].filter(Boolean).join(" — "));
    if (state !== "done") return;
    Object.assign(this.run, { nodes, more, picked: [] });
    this.go("pick");
  }

  async ask() {
    try {
      this.job = await get(`browse/${this.job.id}`);
    } catch (problem) {
      this.job = null;
      this.busy();
      return tell($("name-error"), problem);
    }
    this.follow();
  }

  async stop() {
    clearTimeout(this.timer);
    const { id } = this.job;
    this.job = null;
    this.busy();
    await get(`browse/${id}`, { method: "DELETE", headers: { "X-Deungdae": "1" } }).catch((problem) => tell($("name-error"), problem));
  }
}

export function asked({ name, title, type, url, settings }) {
  return { name, title, type, url, settings };
}
