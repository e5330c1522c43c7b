// Numbers, units and times as people read them.

const SIGNS = { Cel: "°C", "[degF]": "°F", deg: "°", um: "µm", Ohm: "Ω", "kW.h": "kWh", "W.h": "Wh", 1: "" };
const POWERS = { 2: "²", 3: "³" };

// annotations: how words in braces are said, e.g. {part}
export function unit(code, annotations) {
  if (code in SIGNS) return SIGNS[code];
  return code
    .replace(/\{(\w+)\}/g, (_, word) => annotations[word] ?? word)
    .replace(/([a-zA-Z])([23])(?!\d)/g, (_, letter, power) => letter + POWERS[power])
    .replace(/\bCel\b/g, "°C")
    .replaceAll(".", "·");
}

// steady: a measurement that happens to be whole keeps its decimals, so that it does not jump
export function number(value, locale, steady = false) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const decimals = Number.isInteger(value) && !steady ? 0 : size >= 10000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

export function percent(value, locale) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

export function age(seconds, names) {
  const s = Math.max(0, seconds);
  if (s < 60) return `${Math.floor(s)} ${names.s}`;
  if (s < 3600) return `${Math.floor(s / 60)} ${names.min}`;
  if (s < 86400) return `${Math.floor(s / 3600)} ${names.h} ${Math.floor((s % 3600) / 60)} ${names.min}`;
  return `${Math.floor(s / 86400)} ${names.d}`;
}

export function clock(ms, locale, zone, seconds = true) {
  const form = { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone };
  if (seconds) form.second = "2-digit";
  return new Date(ms).toLocaleTimeString(locale, form);
}

export function day(ms, locale, zone, seconds = false) {
  const form = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone };
  if (seconds) form.second = "2-digit";
  if (Math.abs(ms - Date.now()) > 300 * 86400000) form.year = "numeric";
  return new Date(ms).toLocaleString(locale, form);
}

export function isCounted(signal) {
  return signal.unit === "1" || signal.unit.startsWith("{");
}
