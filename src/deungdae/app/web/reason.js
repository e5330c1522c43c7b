// Why something was asked for, in the reader's language where it is a loop that asks.

import { number } from "./format.js";
import { here, unitOf } from "./shell.js";

export function because({ because: words = "" }) {
  const found = /^set-point (\S+) (\S+), measured (\S+) (\S+)$/.exec(words);
  if (!found) return words;
  const value = (figure, unit) => `${number(Number(figure), here.t.locale)} ${unitOf(unit)}`;
  return here.t.loopBecause(value(found[1], found[2]), value(found[3], found[4]));
}
