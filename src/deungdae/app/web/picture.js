// Saves a drawing as SVG or PNG, as it looks on the screen.

import { menu } from "./menu.js";
import { here } from "./shell.js";

const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "paint-order"];
const SCALE = 2; // pixels of a PNG for one of the drawing

// svg: the drawing, or a function that gives it; name: of the file
export function savable(svg, name) {
  const given = () => (typeof svg === "function" ? svg() : svg);
  return menu("⤓", here.t.savePicture, [
    ["PNG", async () => keep(await png(given()), `${name}.png`)],
    ["SVG", () => keep(new Blob([alone(given())], { type: "image/svg+xml" }), `${name}.svg`)],
  ]);
}

function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// the drawing as a file of its own: what the style sheets say stands at each part
function alone(svg) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const [from, to] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((part, n) => {
    const look = getComputedStyle(part);
    if (look.display === "none" || look.visibility === "hidden") to[n].setAttribute("display", "none");
    for (const name of LOOKS) to[n].setAttribute(name, look.getPropertyValue(name));
  });
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ width: "100%", height: "100%", fill: getComputedStyle(svg.closest(".card") ?? document.body).backgroundColor })) ground.setAttribute(key, value);
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

async function png(svg) {
  const { width, height } = svg.getBoundingClientRect();
  const image = new Image();
  const source = URL.createObjectURL(new Blob([alone(svg)], { type: "image/svg+xml" }));
  image.src = source;
  await image.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: width * SCALE, height: height * SCALE });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(source);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
