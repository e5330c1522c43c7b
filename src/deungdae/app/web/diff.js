// How texts differ, line by line, and how two changes of one text come together.

const MOST = 4000; // changed lines up to which the shortest difference is looked for

// returns [{ sign: " " | "-" | "+", text, before, after }], with numbers of lines from 1
export function compare(before, after) {
  const [a, b] = [before, after].map((text) => (text === "" ? [] : text.split("\n")));
  const told = [];
  let [x, y] = [0, 0];
  const same = (until) => {
    while (x < until) told.push({ sign: " ", text: a[x], before: ++x, after: ++y });
  };
  for (const edit of edits(a, b)) {
    same(edit.start);
    while (x < edit.end) told.push({ sign: "-", text: a[x], before: ++x });
    for (const text of edit.lines) told.push({ sign: "+", text, after: ++y });
  }
  same(a.length);
  return told;
}

// only what changed, with some lines around it; null stands where lines are left out
export function shortened(told, around = 3) {
  const near = told.map(() => false);
  told.forEach(({ sign }, n) => {
    if (sign !== " ") near.fill(true, Math.max(0, n - around), n + around + 1);
  });
  const kept = [];
  told.forEach((line, n) => {
    if (near[n]) kept.push(line);
    else if (kept.length === 0 ? n === 0 : kept.at(-1) !== null) kept.push(null);
  });
  return kept;
}

// puts two changes of one text together: [{ lines }] where it is clear, and { mine, theirs, base }
// where both changed the same lines
export function merge(base, mine, theirs) {
  const lines = base.split("\n");
  const ours = edits(lines, mine.split("\n"));
  const other = edits(lines, theirs.split("\n"));
  const pieces = [];
  let at = 0;
  while (ours.length || other.length) {
    const start = Math.min(ours[0]?.start ?? Infinity, other[0]?.start ?? Infinity);
    if (start > at) pieces.push({ lines: lines.slice(at, start) });
    const [left, right] = [[], []];
    let end = start;
    for (let grown = true; grown; ) {
      grown = false;
      for (const [from, taken] of [[ours, left], [other, right]]) {
        // what touches belongs together: nobody knows which would come first
        while (from.length && from[0].start <= end) {
          end = Math.max(end, from[0].end);
          taken.push(from.shift());
          grown = true;
        }
      }
    }
    pieces.push(piece(lines, start, end, left, right));
    at = end;
  }
  if (at < lines.length) pieces.push({ lines: lines.slice(at) });
  return pieces;
}

function piece(lines, start, end, left, right) {
  const [mine, theirs] = [applied(lines, start, end, left), applied(lines, start, end, right)];
  if (!right.length || mine.join("\n") === theirs.join("\n")) return { lines: mine };
  if (!left.length) return { lines: theirs };
  return { mine, theirs, base: lines.slice(start, end) };
}

function applied(lines, start, end, changes) {
  const made = [];
  let at = start;
  for (const { start: from, end: to, lines: added } of changes) {
    made.push(...lines.slice(at, from), ...added);
    at = to;
  }
  return [...made, ...lines.slice(at, end)];
}

// returns what turns a into b: [{ start, end, lines }], where lines replace a[start..end]
function edits(a, b) {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const [left, right] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  if (!left.length && !right.length) return [];
  const whole = [{ start: head, end: head + left.length, lines: right }];
  if (!left.length || !right.length || left.length + right.length > MOST) return whole;
  return shortest(left, right).map((edit) => ({ ...edit, start: edit.start + head, end: edit.end + head }));
}

// the shortest difference, after Myers (1986), "An O(ND) difference algorithm"
function shortest(a, b) {
  const size = a.length + b.length;
  let reach = new Int32Array(2 * size + 2);
  const steps = [];
  for (let d = 0; d <= size; d++) {
    steps.push(reach.slice(size - d, size + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && reach[size + k - 1] < reach[size + k + 1]);
      let x = down ? reach[size + k + 1] : reach[size + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach[size + k] = x;
      if (x >= a.length && x - k >= b.length) return walked(a, b, steps, d);
    }
  }
  return [];
}

function walked(a, b, steps, last) {
  const found = [];
  let [x, y] = [a.length, b.length];
  for (let d = last; d > 0; d--) {
    const reach = (k) => steps[d][k + d];
    const k = x - y;
    const down = k === -d || (k !== d && reach(k - 1) < reach(k + 1));
    const from = down ? k + 1 : k - 1;
    const [px, py] = [reach(from), reach(from) - from];
    const next = found[0];
    // after the slide of equal lines comes one step, down (a line more) or right (a line less)
    const [sx, sy] = down ? [px, py + 1] : [px + 1, py];
    if (next && next.start === sx && next.from === sy) Object.assign(next, { start: px, from: py });
    else found.unshift({ start: px, end: sx, from: py, to: sy });
    [x, y] = [px, py];
  }
  return found.map(({ start, end, from, to }) => ({ start, end, lines: b.slice(from, to) }));
}
