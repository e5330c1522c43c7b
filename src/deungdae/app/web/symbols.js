// Small drawings of machines, 24 by 24, found by the words in a machine's name.

const SYMBOLS = [
  [/mixer|blend|혼합|믹서/i, "M4 8h16l-2 9a3 3 0 0 1-3 2H9a3 3 0 0 1-3-2zM12 3v11M9 14h6"],
  [/press|프레스|성형/i, "M4 3h16v4H4zM12 7v6M8 13h8M5 20h14M5 20V7M19 20V7M9 17h6v3H9z"],
  [/dry|oven|건조/i, "M4 5h16v15H4zM8 17c-2-2 2-3 0-6M12 17c-2-2 2-3 0-6M16 17c-2-2 2-3 0-6"],
  [/kiln|furnace|소성|가마|로$/i, "M3 20v-8a9 7 0 0 1 18 0v8zM12 18c-4-1-3-4-1-7 0 2 2 2 2 4 1-1 1-1 1-2 2 3 1 5-2 5z"],
  [/camera|inspect|vision|카메라|검사/i, "M3 8h4l2-3h6l2 3h4v11H3zM12 9a4 4 0 1 0 0 8 4 4 0 0 0 0-8z"],
  [/robot|pallet|arm|로봇|적재/i, "M5 20h8M9 20v-4l-3-5 7-6 5 4M6 11h.01M13 5h.01M18 9v3M16 12h4M16 12v2M20 12v2"],
  [/store|stock|warehouse|창고|보관|저장/i, "M3 20V9l9-5 9 5v11zM7 20v-7h10v7M7 16.500h10"],
  [/mill|machining|mould|mold|cnc|lathe|가공|금형|선반/i, "M4 4h16v12H4zM8 20h8M12 16v4M12 4v5M10 9h4l-2 3z"],
  [/meter|energy|power|전력|계량/i, "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM13 7l-3 5.500h4L11 17"],
];
const OTHER = "M5 6h14v13H5zM8 6V4h8v2M9 12h6";

// the lines of a drawing, for the d of a path
export function symbol(name) {
  return SYMBOLS.find(([words]) => words.test(name))?.[1] ?? OTHER;
}
