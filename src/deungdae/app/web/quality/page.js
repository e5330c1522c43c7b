// Quality: control charts, and what the camera sees.

import { Chart } from "./chart.js";
import { Inspection } from "./inspection.js";

export default () => [new Chart(), new Inspection()];
