// How urgent an alarm is: a shape with a number, a colour and a word, never a colour alone.

import { drawn, element } from "./dom.js";
import { here } from "./shell.js";

export const PRIORITIES = ["critical", "high", "medium", "low"];

// an octagon, a triangle, a diamond and a circle, as on signs
const SHAPES = {
  critical: "M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z",
  high: "M12 1.5L23 21.5H1z",
  medium: "M12 1L23 12 12 23 1 12z",
  low: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z",
};

// the mark alone: its word must stand beside it, or in a label
export function mark(priority) {
  const number = drawn("text", { x: 12, y: priority === "high" ? 19.5 : 17 }, String(PRIORITIES.indexOf(priority) + 1));
  return drawn("svg", { class: `priority ${priority}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, drawn("path", { d: SHAPES[priority] }), number);
}

export function badge(priority) {
  return element("span", `urgency ${priority}`, mark(priority), here.t.priorities[priority]);
}
