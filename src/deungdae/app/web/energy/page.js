// Energy: what machines draw and have used.

import { Energy } from "./energy.js";

export default () => [new Energy()];
