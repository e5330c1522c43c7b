// The shift: how good it is, what costs most, why machines stood, and what is handed over.

import { Shift } from "./shift.js";

export default () => [new Shift()];
