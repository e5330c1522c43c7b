// Control: what waits for a person, the loops, the gate's mode, and what was done.

import { Commands } from "./commands.js";
import { Gate } from "./gate.js";
import { Loops } from "./loops.js";
import { Proposals } from "./proposals.js";

export default () => {
  const gate = new Gate();
  // what came of an approval may be followed by the next wish before it is heard of
  return [new Proposals((outcome) => gate.hear(outcome)), new Loops(), gate, new Commands()];
};
