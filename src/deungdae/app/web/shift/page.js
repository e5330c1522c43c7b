// The shift: how good it is, and what costs most.

import { Indicators } from "./indicators.js";

export default () => [new Indicators()];
