// The page of the twin: the line as it mirrors it, when it may be believed, and what would be if.

import { $ } from "./dom.js";
import { Improve } from "./improve.js";
import { Line } from "./line.js";
import { Score } from "./score.js";
import { known, start } from "./shell.js";
import { WhatIf } from "./whatif.js";

const none = { build: () => ($("no-twin").hidden = Object.keys(known.lines).length > 0) };

start("/twin", none, new Line((asset) => `/#machine-${asset}`), new WhatIf(), new Score(), new Improve());
