// The twin: the line as it mirrors it, when it may be believed, and what would be if.

import { $ } from "../dom.js";
import { Line } from "../line.js";
import { known } from "../shell.js";
import { Improve } from "./improve.js";
import { Score } from "./score.js";
import { WhatIf } from "./whatif.js";

const none = { build: () => ($("no-twin").hidden = Object.keys(known.lines).length > 0) };

export default () => [none, new Line((asset) => `/machine/${encodeURIComponent(asset)}`), new WhatIf(), new Score(), new Improve()];
