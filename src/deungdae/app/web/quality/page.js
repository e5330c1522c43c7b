// Quality: control charts, capability, and what the camera sees and has learnt.

import { $ } from "../dom.js";
import { analyses } from "../shell.js";
import { Capability } from "./capability.js";
import { Chart } from "./chart.js";
import { Inspection } from "./inspection.js";
import { Models } from "./models.js";

const none = { build: () => ($("no-quality").hidden = analyses("spc", "vision", "golden")) };

export default () => {
  const models = new Models();
  return [none, new Chart(), new Capability(), new Inspection(() => models.recall()), models];
};
