// Says in Korean what the server says in English: by the sentences of said_words.js.
//
// A sentence holds others (why an address cannot be reached, what is wrong with a file), and several
// may stand in a row. Whatever no sentence fits stays as it came.

import { foreign, sentences } from "./said_words.js";

const LONGEST = 4000; // characters of a text that is looked at
const DEEPEST = 5; // sentences within sentences
const TRIES = 200; // parts of one text that are looked for: no text can keep a page busy
const KEPT = 500; // texts whose Korean is remembered, for pages are drawn again and again
const ROWS = ["\n", " — ", "; ", " · "]; // what stands between several sentences
const COLON = ": "; // what stands behind the place or rule that a sentence is about

const patterns = [...sentences, ...foreign].map(([english, korean]) => {
  const parts = english.split("{}");
  return { parts, korean, letters: parts.join("").length };
});
patterns.sort((one, other) => other.letters - one.letters);

const remembered = new Map();

// text: what the server told, or nothing; result: the same in the language, "ko" or "en", of the page
export function say(text, language = document.documentElement.lang) {
  if (language !== "ko" || typeof text !== "string" || text.length > LONGEST) return text;
  let told = remembered.get(text);
  if (told === undefined) {
    told = best(text, { tries: TRIES, known: new Map() }, 0).korean;
    if (remembered.size >= KEPT) remembered.clear();
    remembered.set(text, told);
  }
  return told;
}

// result: the Korean of which most letters were understood, and how many these are
function best(text, work, depth) {
  const core = text.trim();
  if (!core || depth > DEEPEST) return { korean: text, letters: 0 };
  const known = work.known.get(core) ?? (work.tries-- > 0 ? chosen(core, work, depth) : { korean: core, letters: 0 });
  work.known.set(core, known);
  const begin = text.indexOf(core);
  return { ...known, korean: text.slice(0, begin) + known.korean + text.slice(begin + core.length) };
}

function chosen(text, work, depth) {
  let found = { korean: text, letters: 0 };
  for (const mark of [...ROWS, COLON]) {
    const cut = text.indexOf(mark);
    if (cut < 0) continue;
    const texts = mark === COLON ? [text.slice(0, cut), text.slice(cut + mark.length)] : text.split(mark);
    const parts = texts.map((part) => best(part, work, depth + 1));
    const letters = parts.reduce((sum, part) => sum + part.letters, 0);
    if (letters > found.letters) found = { korean: parts.map((part) => part.korean).join(mark), letters };
  }
  const whole = sentence(text, work, depth);
  return whole && whole.letters > found.letters ? whole : found;
}

function sentence(text, work, depth) {
  for (const pattern of patterns) {
    const held = match(text, pattern.parts);
    if (!held) continue;
    const said = held.map((part) => best(part, work, depth + 1));
    const korean = pattern.korean.replace(/(‘?)\{(\d+)\}/g, (_, mark, place) => mark + (mark ? bare : String)(said[place - 1].korean));
    return { korean, letters: said.reduce((sum, part) => sum + part.letters, pattern.letters) };
  }
  return null;
}

// a name without the marks that the source puts around it, where ours has its own
function bare(name) {
  return /^(['"]).+\1$/s.test(name) ? name.slice(1, -1) : name;
}

// result: what stands in the places of a sentence, each as short as can be; null if it is another
function match(text, parts) {
  const last = parts.length - 1;
  const end = text.length - parts[last].length;
  if (!text.startsWith(parts[0]) || !text.endsWith(parts[last])) return null;
  if (!last) return text.length === parts[0].length ? [] : null;
  const held = [];
  let from = parts[0].length;
  for (let place = 1; place < last; place += 1) {
    const begin = text.indexOf(parts[place], from);
    if (begin < 0) return null;
    held.push(text.slice(from, begin));
    from = begin + parts[place].length;
  }
  if (from > end) return null;
  return [...held, text.slice(from, end)];
}
