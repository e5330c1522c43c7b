// The life of a serial, a lot or a carrier: what it is, where it went, what it is made of.

import { Ask } from "./ask.js";
import { Told } from "./told.js";

export default (code) => [new Ask(code), new Told(code)];
