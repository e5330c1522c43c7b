// Dashboards of one's own: the list, one of them, one as a screen on the wall, one being changed.

import { Board } from "./board.js";
import { List } from "./list.js";

export default (rest) => [rest ? new Board(rest) : new List()];
