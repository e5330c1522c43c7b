// Round values and round times between two: what stands at the axes of a chart.

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60000, 3600000, 86400000];
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7].map((n) => n * DAY),
];
const MONTHS = [1, 3, 6, 12, 24, 60, 120, 240];
const MONTH = 30.44 * DAY;
const formats = new Map();

// round values between two, about so many
export function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(Number((n * step).toPrecision(12)));
  return found;
}

// a value of an axis in words, with as many decimals as tell it from the next one
export function tickWords(value, all, locale) {
  const step = all.length > 1 ? Math.abs(all[1] - all[0]) : Math.abs(value) || 1;
  if (step < 1e-5 || Math.abs(value) >= 1e9) return value.toExponential(2);
  const decimals = Math.min(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), 6);
  return value.toLocaleString(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

// round times from ms to ms, at most so many, each with its words: [{ ms, words, day }]; day: a date
export function times(from, to, wanted, locale, zone) {
  const rough = (to - from) / Math.max(wanted, 1);
  const step = STEPS.find((each) => each >= rough);
  return step ? even(from, to, step, locale, zone) : months(from, to, rough, locale, zone);
}

function even(from, to, step, locale, zone) {
  const found = [];
  const first = Math.ceil((from + ahead(from, zone)) / step) * step;
  for (let local = first; ; local += step) {
    const ms = local - ahead(local - ahead(from, zone), zone);
    if (ms > to || found.length > 200) return found;
    const day = step >= DAY || local % DAY === 0;
    const form = day ? { month: "numeric", day: "numeric" } : clockForm(step);
    found.push({ ms, day: day && step < DAY, words: shaped(ms, form, locale, zone) });
  }
}

function months(from, to, rough, locale, zone) {
  const step = MONTHS.find((each) => each * MONTH >= rough) ?? MONTHS.at(-1);
  const begun = new Date(from + ahead(from, zone));
  const found = [];
  for (let n = Math.floor((begun.getUTCFullYear() * 12 + begun.getUTCMonth()) / step) * step; ; n += step) {
    const local = Date.UTC(Math.floor(n / 12), n % 12);
    const ms = local - ahead(local, zone);
    if (ms > to || found.length > 200) return found;
    const form = n % 12 ? { month: "short" } : { year: "numeric" };
    if (ms >= from) found.push({ ms, day: n % 12 === 0 && step < 12, words: shaped(ms, form, locale, zone) });
  }
}

function clockForm(step) {
  const form = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (step < MINUTE) form.second = "2-digit";
  if (step < SECOND) form.fractionalSecondDigits = 3;
  return form;
}

// a moment in words, as exactly as a chart of so many ms can tell it
export function instant(ms, span, locale, zone) {
  const form = { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (span > 300 * DAY) form.year = "numeric";
  if (span < 2 * DAY) form.second = "2-digit";
  if (span < 10 * MINUTE) form.fractionalSecondDigits = 3;
  return shaped(ms, form, locale, zone);
}

// ms by which a time zone's clock is ahead of UTC at a moment
export function ahead(ms, zone) {
  const form = { hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const told = Object.fromEntries(formatter(form, "en", zone).formatToParts(ms).map((part) => [part.type, part.value]));
  return Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second) - Math.floor(ms / SECOND) * SECOND;
}

function shaped(ms, form, locale, zone) {
  return formatter(form, locale, zone).format(ms);
}

function formatter(form, locale, zone) {
  const key = JSON.stringify([form, locale, zone]);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale, { ...form, timeZone: zone }));
  return formats.get(key);
}
