// The live page of a factory.

import { $ } from "./dom.js";
import { Control } from "./control.js";
import { Energy } from "./energy.js";
import { Gate } from "./gate.js";
import { Stored } from "./history.js";
import { Indicators } from "./indicators.js";
import { Inspection } from "./inspection.js";
import { Line } from "./line.js";
import { Trend } from "./loop.js";
import { Machines } from "./machines.js";
import { start } from "./shell.js";

const trend = new Trend();

// a signal far down the page is drawn where the trend is
function choose(id) {
  trend.choose(id);
  $("trend").scrollIntoView({ block: "nearest" });
}

const line = new Line((asset) => ($(`machine-${asset}`) ? `#machine-${asset}` : null));
start("/", new Machines(choose), line, trend, new Gate(), new Indicators(), new Control(), new Inspection(), new Energy(), new Stored());
