// Control: what waits for a person, the loops, the gate's mode, and what was done.

import { Commands } from "./commands.js";
import { Gate } from "./gate.js";
import { Loops } from "./loops.js";
import { Proposals } from "./proposals.js";

export default () => [new Proposals(), new Loops(), new Gate(), new Commands()];
