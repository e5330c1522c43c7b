// The plant at one glance: what runs, what stands, why, since when.

import { Figures } from "./figures.js";
import { Floor } from "./floor.js";
import { Glance } from "./glance.js";
import { Machines } from "./machines.js";
import { Tiles } from "./tiles.js";
import { Why } from "./why.js";

export default () => {
  const why = new Why();
  return [why, new Glance(why), new Floor(why), new Tiles(why), new Figures(), new Machines()];
};
