/** Plain values that somebody altered: other types, sizes and nests, keys with a meaning of their own, parts doubled, moved and spliced. */
import type { Dice } from "./dice.ts";

type Plain = unknown;

const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "", "kind", "v"];

/** A copy of one of the samples with up to three places altered. Nothing in it has a cycle. */
export function hostileValue(dice: Dice, samples: readonly Plain[]): Plain {
  let value = dice.pick(samples);
  for (let left = 1 + dice.below(3); left > 0; left--) value = alteredAt(dice, value, samples, 0);
  return value;
}

/** Goes down by chance and alters what it comes to; all above it is copied. */
function alteredAt(dice: Dice, value: Plain, samples: readonly Plain[], depth: number): Plain {
  if (depth < 12 && !dice.once(4)) {
    if (Array.isArray(value) && value.length > 0) {
      const place = dice.below(value.length);
      return value.map((item, at) => (at === place ? alteredAt(dice, item, samples, depth + 1) : item));
    }
    if (isMap(value)) {
      const keys = Object.keys(value);
      if (keys.length > 0) {
        const key = dice.pick(keys);
        return withKey(value, key, alteredAt(dice, value[key], samples, depth + 1));
      }
    }
  }
  return altered(dice, value, samples);
}

function altered(dice: Dice, value: Plain, samples: readonly Plain[]): Plain {
  if (dice.once(3)) return anything(dice, samples);
  if (Array.isArray(value)) return alteredList(dice, value, samples);
  if (isMap(value)) return alteredMap(dice, value, samples);
  if (value instanceof Uint8Array) {
    // A Buffer's own slice is no copy.
    const copy = Uint8Array.from(value).slice(0, dice.once(3) ? dice.below(value.length + 1) : value.length);
    if (copy.length > 0) copy[dice.below(copy.length)] = dice.below(256);
    return copy;
  }
  if (typeof value === "number")
    return dice.pick([value + 1, value - 1, -value, value * 2 ** 20, value + 0.5, `${value}`]);
  if (typeof value === "string") {
    const at = dice.below(value.length + 1);
    const inserted = dice.pick(["\0", "/", "..", "\ud800", "é", " ", "0", "\n", "\u202e", value, "x"]);
    return value.slice(0, at) + inserted + value.slice(at + dice.below(2));
  }
  return anything(dice, samples);
}

function alteredList(dice: Dice, list: readonly Plain[], samples: readonly Plain[]): Plain {
  const at = dice.below(list.length + 1);
  switch (dice.below(5)) {
    case 0:
      return list.filter((_, i) => i !== at);
    case 1:
      return [...list, ...list];
    case 2:
      return list.toReversed();
    case 3:
      return [...list.slice(0, at), anything(dice, samples), ...list.slice(at)];
    default:
      return Array.from({ length: dice.size(500) }, () => list[0] ?? null);
  }
}

function alteredMap(dice: Dice, map: Record<string, Plain>, samples: readonly Plain[]): Plain {
  const keys = Object.keys(map);
  const key: string = keys.length > 0 ? dice.pick(keys) : "x";
  switch (dice.below(4)) {
    case 0:
      return withKey(map, key, undefined);
    case 1:
      return withKey(map, dice.pick(names), anything(dice, samples));
    case 2:
      return withKey(withKey(map, key, undefined), `${key}${dice.pick(["", "s", "\0", " "])}`, map[key]);
    default:
      return withKey(map, key, map[dice.pick(keys.length > 0 ? keys : ["x"])] ?? null);
  }
}

function anything(dice: Dice, samples: readonly Plain[]): Plain {
  switch (dice.below(14)) {
    case 0:
      return null;
    case 1:
      return dice.once(2);
    case 2:
      return dice.pick([0, -1, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
    case 3:
      return dice.pick([0.5, 1e300, 5e-324, -0.1]);
    case 4:
      return "";
    case 5:
      return dice.pick(names);
    case 6:
      return "x".repeat(dice.size(5000));
    case 7:
      return [];
    case 8:
      return {};
    case 9:
      return dice.bytes(dice.size(300));
    case 10:
      return nested(dice.size(40), dice.once(2));
    case 11:
      return Array.from({ length: dice.size(500) }, () => (dice.once(2) ? {} : []));
    case 12:
      return Object.fromEntries(Array.from({ length: dice.size(100) }, (_, i) => [`k${i}`, i]));
    default:
      return part(dice, dice.pick(samples));
  }
}

function nested(levels: number, lists: boolean): Plain {
  let value: Plain = 0;
  for (let level = 0; level < levels; level++) value = lists ? [value] : { a: value };
  return value;
}

/** Some value inside another. */
function part(dice: Dice, value: Plain): Plain {
  let at: Plain = value;
  for (let depth = dice.below(5); depth > 0; depth--) {
    const inner = Array.isArray(at) ? at : isMap(at) ? Object.values(at) : [];
    if (inner.length === 0) break;
    at = dice.pick(inner);
  }
  return at;
}

const isMap = (value: Plain): value is Record<string, Plain> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** A copy with one key defined, whatever it is named; undefined takes it out. */
function withKey(map: Record<string, Plain>, key: string, value: Plain): Record<string, Plain> {
  const copy = Object.fromEntries(Object.entries(map).filter(([k]) => k !== key));
  if (value !== undefined)
    Object.defineProperty(copy, key, { value, enumerable: true, writable: true, configurable: true });
  return copy;
}
