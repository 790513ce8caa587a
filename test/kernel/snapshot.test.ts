import fc from "fast-check";
import { expect, test } from "vitest";
import { load, save } from "../../protocol/kernel/snapshot.ts";

class Point {
  x: number;
  next: Point | undefined;
  private readonly counts = new Map<string, number>();

  constructor(x: number) {
    this.x = x;
  }

  count(what: string): number {
    const count = (this.counts.get(what) ?? 0) + 1;
    this.counts.set(what, count);
    return count;
  }
}

/** Holds something that no snapshot can take. */
class Handle {
  readonly text: string;
  readonly mark: symbol;

  constructor(text: string) {
    this.text = text;
    this.mark = Symbol(text);
  }

  static freeze(handle: Handle): Uint8Array {
    return new TextEncoder().encode(handle.text);
  }

  static thaw(bytes: Uint8Array): Handle {
    return new Handle(new TextDecoder().decode(bytes));
  }
}

const classes = [Point, Handle];
const again = <T extends object>(value: T): T => load(save(value, classes), classes) as T;

const anything = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 5 },
    fc.string(),
    fc.boolean(),
    fc.constantFrom(
      null,
      undefined,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      2 ** 60,
    ),
    fc.double(),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.integer()).map((list) => Int32Array.from(list)),
    fc.array(fc.double()).map((list) => Float64Array.from(list)),
    fc.array(tie("any"), { maxLength: 5 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString")),
      tie("any"),
      { noNullPrototype: true },
    ),
    fc.array(fc.tuple(tie("any"), tie("any")), { maxLength: 5 }).map((pairs) => new Map(pairs)),
    fc.array(tie("any"), { maxLength: 5 }).map((list) => new Set(list)),
  ),
}));

test("whatever is saved is loaded as it was", () => {
  fc.assert(
    fc.property(anything.any, (value) => {
      expect(again({ value })).toEqual({ value });
    }),
    { numRuns: 500 },
  );
});

test("what is saved again after loading has the same bytes", () => {
  fc.assert(
    fc.property(anything.any, (value) => {
      const bytes = save({ value }, classes);
      expect(save(load(bytes, classes), classes)).toEqual(bytes);
    }),
    { numRuns: 200 },
  );
});

test("what was one object stays one, also as a key, and circles close", () => {
  const shared = { name: "shared" };
  const circle: { self?: unknown; shared: unknown } = { shared };
  circle.self = circle;
  const loaded = again({ circle, list: [shared, shared], keys: new Map([[shared, new Set([circle])]]) });
  expect(loaded.circle.self).toBe(loaded.circle);
  expect(loaded.list[0]).toBe(loaded.list[1]);
  expect(loaded.circle.shared).toBe(loaded.list[0]);
  expect(loaded.keys.get(loaded.list[0]!)!.has(loaded.circle)).toBe(true);
});

test("maps and sets keep their order", () => {
  const keys = ["z", "a", "10", "9", "m"];
  const loaded = again({ map: new Map(keys.map((k, i) => [k, i])), set: new Set(keys) });
  expect([...loaded.map.keys()]).toEqual(keys);
  expect([...loaded.set]).toEqual(keys);
});

test("instances keep their class and what is private to them, and change apart from the saved ones", () => {
  const point = new Point(3);
  point.next = point;
  point.count("a");
  const loaded = again({ point }).point;
  expect(loaded).toBeInstanceOf(Point);
  expect(loaded.next).toBe(loaded);
  expect(loaded.count("a")).toBe(2);
  expect(point.count("a")).toBe(2);
});

test("a class may say itself what is saved of it", () => {
  const handle = new Handle("door");
  const loaded = again({ one: handle, two: handle });
  expect(loaded.one).toBeInstanceOf(Handle);
  expect(loaded.one.text).toBe("door");
  expect(loaded.two).toBe(loaded.one);
});

test("a view of bytes is saved as what it shows, not as what lies behind it", () => {
  const behind = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const loaded = again({ part: behind.subarray(2, 4), words: new Uint32Array(behind.buffer, 4, 1) });
  expect([...loaded.part]).toEqual([3, 4]);
  expect(loaded.words).toEqual(new Uint32Array(behind.buffer, 4, 1));
});

test("what cannot be saved is named", () => {
  class Unknown {}
  for (const value of [() => 1, Symbol("x"), 1n])
    expect(() => save({ value }, classes)).toThrow(/cannot be saved/);
  expect(() => save({ value: new Unknown() }, classes)).toThrow(/Unknown cannot be saved/);
  expect(() => load(save(new Point(1), classes), [])).toThrow(expect.objectContaining({ code: "malformed" }));
});

test("bytes that are no snapshot are refused", () => {
  const bytes = save({ a: [1, new Map([[1, 2]])], b: new Point(1) }, classes);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, to) => {
      const damaged = bytes.slice();
      damaged[at] = to;
      try {
        load(damaged, classes);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "malformed" });
      }
    }),
    { numRuns: 500 },
  );
  expect(() => load(new Uint8Array(), classes)).toThrow(expect.objectContaining({ code: "malformed" }));
});
