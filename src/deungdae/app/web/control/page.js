// Control: the gate, what waits for a person, and the loops.

import { Gate } from "./gate.js";
import { Trend } from "./loop.js";

export default () => [new Trend(), new Gate()];
