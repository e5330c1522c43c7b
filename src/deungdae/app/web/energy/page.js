// Energy: what machines have used, by state and product, the load curve, and the carbon of it.

import { Energy } from "./energy.js";

export default () => [new Energy()];
