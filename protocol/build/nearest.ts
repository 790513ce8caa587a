/** The known word that a mistyped one most likely meant. */

const wordsMax = 2000;
const lettersMax = 256;

/** Edits (insert, delete, replace, swap of neighbours) from a to b; gives up above `max` and answers max + 1. */
function distance(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replace, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, before[j - 2]! + 1);
      row.push(best);
    }
    if (Math.min(...row) > max) return max + 1;
    before = last;
    last = row;
  }
  return last[b.length]!;
}

/** The nearest of `known` within a third of the word's letters (at least one edit); undefined when nothing is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > lettersMax) return undefined;
  let best: string | undefined;
  let allowed = Math.max(1, Math.floor(word.length / 3));
  let seen = 0;
  for (const candidate of known) {
    if (++seen > wordsMax) break;
    if (candidate === word) continue;
    const edits = distance(word.toLowerCase(), candidate.toLowerCase(), allowed);
    if (edits <= allowed && (best === undefined || edits < allowed)) {
      best = candidate;
      allowed = edits;
    }
  }
  return best;
}

/** What helps whoever wrote a word that is none of `known`: the nearest of them, or else this. */
export function nearestOr(word: string, known: Iterable<string>, otherwise: string): string {
  const best = nearest(word, known);
  return best === undefined ? otherwise : `did you mean ${best}?`;
}

/** `did you mean "x"?`, or undefined when nothing is near. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const best = nearest(word, known);
  return best === undefined ? undefined : `did you mean "${best}"?`;
}
