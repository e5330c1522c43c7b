// Alarms after ISA-18.2: what is active, what is kept quiet, what was, and how good the system is.

import { Figures } from "./figures.js";
import { Frame } from "./frame.js";
import { Past } from "./past.js";
import { Present } from "./present.js";
import { Quiet } from "./quiet.js";

export default () => [new Frame({ now: Present, quiet: Quiet, past: Past, figures: Figures })];
