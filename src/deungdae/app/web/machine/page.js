// The page machine: all machines to choose from, or one with its trends, states, losses and files.

import { Care } from "./care.js";
import { Explore } from "./explore.js";
import { Files } from "./files.js";
import { Head } from "./head.js";
import { List } from "./list.js";
import { Losses } from "./losses.js";
import { Story } from "./story.js";
import { Values } from "./values.js";

export default (asset) => {
  if (!asset) return [new List()];
  const explore = new Explore(asset);
  const losses = new Losses(asset);
  const story = new Story(asset, (answer, problem) => losses.show(answer, problem));
  return [new Head(asset), explore, new Values(asset, (id) => explore.add(id)), losses, story, new Care(asset), new Files(asset)];
};
