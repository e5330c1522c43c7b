// The page machine: all machines to choose from, or one with its trends, states, losses and files.

import { Explore } from "./explore.js";
import { Head } from "./head.js";
import { List } from "./list.js";
import { Values } from "./values.js";

export default (asset) => {
  if (!asset) return [new List()];
  const explore = new Explore(asset);
  return [new Head(asset), explore, new Values(asset, (id) => explore.add(id))];
};
