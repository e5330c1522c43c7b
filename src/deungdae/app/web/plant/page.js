// The plant: the line as it runs now, and what each machine tells.

import { Line } from "../line.js";
import { Machines } from "./machines.js";
import { go } from "../shell.js";

const place = (asset) => `/machine/${encodeURIComponent(asset)}`;

export default () => [new Line(place), new Machines((id) => go(`${place(id.slice(0, id.lastIndexOf(".")))}?signal=${encodeURIComponent(id)}`))];
