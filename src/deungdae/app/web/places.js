// The pages, in the order of the navigation. A page is a folder of its name: page.html, page.js,
// words.js and page.css. Its title is the word `title` of its words.js, in `titles` of words.js too.
//
// icon: the lines of a drawing of 24 by 24. role: who may see it. hidden: not in the navigation.

export const places = [
  { name: "plant", icon: "M3 20h18M5 20V9l5 3V9l5 3V5h4v15M8 16h2M13 16h2" },
  { name: "shift", icon: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l4 2" },
  { name: "machine", icon: "M3 19h18M4 16l4-6 4 3 4-8 4 5" },
  { name: "quality", icon: "M4 12l5 5L20 6" },
  { name: "trace", icon: "M4 6h5v5H4zM15 3h5v5h-5zM15 16h5v5h-5zM9 8.5h3V5.500h3M12 8.500v10h3" },
  { name: "energy", icon: "M13 2L5 14h6l-1 8 9-12h-6z" },
  { name: "twin", icon: "M3 5h8v14H3zM13 5h8v14h-8zM6 9h2M6 13h2M16 9h2M16 13h2" },
  { name: "control", icon: "M5 4v6M5 14v6M12 4v2M12 10v10M19 4v9M19 17v3M3 12h4M10 8h4M17 15h4" },
  { name: "dashboard", icon: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z" },
  { name: "alarms", icon: "M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4" },
  { name: "journal", icon: "M6 3h12v18H6zM9 8h6M9 12h6M9 16h4", role: "operator" },
  { name: "connections", icon: "M9 7V3M15 7V3M6 7h12v4a6 6 0 0 1-12 0zM12 17v4" },
  { name: "settings", icon: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4" },
  { name: "start", icon: "M12 5v14M5 12h14", role: "engineer", hidden: true },
];

// the place of an address, and what stands behind its name: "/machine/press-2" -> machine, "press-2"
export function placeOf(path) {
  const [, name, rest = ""] = /^\/([^/]*)\/?(.*)$/.exec(path);
  const place = name ? places.find((each) => each.name === name) : places[0];
  return [place ?? places[0], decoded(rest)];
}

// what was typed into the address may be no encoding at all
function decoded(rest) {
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest;
  }
}
