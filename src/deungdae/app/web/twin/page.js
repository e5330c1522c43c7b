// The twin: the line as it mirrors it, when it may be believed, and what would be if; and what was.

import { $ } from "../dom.js";
import { Line } from "../line.js";
import { known } from "../shell.js";
import { Improve } from "./improve.js";
import { Replay } from "./replay.js";
import { Score } from "./score.js";
import { WhatIf } from "./whatif.js";

const none = { build: () => ($("no-twin").hidden = Object.keys(known.lines).length > 0) };

const open = (asset) => `/machine/${encodeURIComponent(asset)}`;

export default () => [none, new Line(open), new Replay(open), new WhatIf(), new Score(), new Improve()];
