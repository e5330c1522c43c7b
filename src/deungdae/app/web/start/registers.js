// A register list as people have it in a spreadsheet, read as addresses in the house's words.

const TYPES = ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool", "bcd16", "bcd32"];
const NAMES = { word: "uint16", int: "int16", uint: "uint16", dword: "uint32", dint: "int32", udint: "uint32", real: "float32", float: "float32", lreal: "float64", double: "float64", bit: "bool" };
const TABLES = { 0: "coil", 1: "discrete", 3: "input", 4: "holding" };

// text: a line each: address, name, unit, type, scale, in columns by tab, semicolon or comma; returns
// { signals: [{ address, name, unit, scale }], wrong: [what could not be read] }
export function read(text) {
  const [signals, wrong] = [[], []];
  for (const line of text.split("\n").filter((each) => each.trim())) {
    const cells = columns(line).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
    const signal = signalOf(cells);
    if (signal) signals.push(signal);
    else if (signals.length || wrong.length || /\d/.test(cells[0])) wrong.push(line.trim().slice(0, 60));
  }
  return { signals, wrong };
}

function columns(line) {
  const mark = ["\t", ";"].find((each) => line.includes(each));
  return mark ? line.split(mark) : line.split(/,(?![A-D]{4}\b)/); // an order of bytes follows a comma, too
}

function signalOf([place, name = "", unit = "", type = "", scale = ""]) {
  const kind = NAMES[type.toLowerCase()] ?? type.toLowerCase();
  if (type && !TYPES.includes(kind)) return null;
  const address = addressOf(place, kind);
  return address && { address, name, unit: unit || "1", scale };
}

// 40013 -> holding/12, as lists have counted since Modicon: the first digit is the table, from 1
function addressOf(place, type) {
  const listed = /^([0134])(\d{4,5})$/.exec(place);
  const spelled = /^(?:\d{1,3}\/)?(coil|discrete|input|holding)\/\d{1,6}(\?.*)?$/.exec(place);
  if (!listed && !spelled) return null;
  if (listed && Number(listed[2]) === 0) return null;
  const start = listed ? `${TABLES[listed[1]]}/${Number(listed[2]) - 1}` : place;
  const bit = /(coil|discrete)\//.test(start);
  return start.includes("?") || bit ? start : `${start}?${type || "uint16"}`;
}
