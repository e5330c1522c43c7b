// Makes parts of a page. Texts are always texts: nothing that comes from outside is read as HTML.

const NS = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

export function element(name, kind, ...content) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...content.filter((each) => each !== null && each !== ""));
  return made;
}

export function button(kind, label, act) {
  const made = element("button", kind, label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

// a part of a drawing, in SVG
export function drawn(name, attributes, ...content) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

export function lettered(kind, x, y, words) {
  return drawn("text", { class: kind, x, y }, words);
}

// changes a text only where it differs, so that a selection stays
export function put(place, content) {
  if (place.textContent !== content) place.textContent = content;
}

// calls what is drawn by width when that changes
export function onResize(place, draw) {
  let before = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width && width !== before) {
      before = width;
      draw();
    }
  }).observe(place);
}
