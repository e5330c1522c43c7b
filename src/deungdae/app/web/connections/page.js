// Connections: how each door to a machine is doing, and what the history takes in.

import { Doors } from "./doors.js";
import { Stored } from "./history.js";

export default () => [new Doors(), new Stored()];
