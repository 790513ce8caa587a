/**
 * Saves and loads a whole graph of objects: plain values, Maps, Sets, typed arrays and instances of the classes named, each
 * object once, however often it is referred to. So a machine needs no code of its own to be saved, and cannot forget a field.
 */
import { copied, decode, encodeParts, putList, putListOf, putValue } from "./codec.ts";
import { SwarmError } from "./errors.ts";

/** A class whose instances may be in a snapshot. One that holds something foreign says itself what to save. */
export interface Savable {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: instances of any class
  readonly prototype: any;
  /** Bytes that `thaw` makes the instance of again. */
  // biome-ignore lint/suspicious/noExplicitAny: instances of any class
  freeze?(instance: any): Uint8Array;
  thaw?(bytes: Uint8Array): object;
}

const arrays = { Uint8Array, Uint32Array, Int32Array, Float64Array } as const;
const snapshotBytesMax = 1 << 30;

/** A value in place: plain as it is; ["#", n] the n-th object; ["n", text] a number that has no encoding; ["u"] undefined. */
type Slot =
  | null
  | boolean
  | number
  | string
  | readonly ["#", number]
  | readonly ["n", string]
  | readonly ["u"];
type Node =
  | readonly ["o" | "i", string, readonly (readonly [string, Slot])[]]
  | readonly ["a" | "s", readonly Slot[]]
  | readonly ["m", readonly (readonly [Slot, Slot])[]]
  | readonly ["t", keyof typeof arrays, Uint8Array]
  | readonly ["f", string, Uint8Array];

/** Canonical bytes of everything that can be reached from `root`. Throws for a function or an instance of a class not named. */
export const save = (root: object, classes: readonly Savable[]): Uint8Array =>
  encodeParts(() => putSaved(root, classes), copied);

/** Within an encoding: the same bytes. Nothing is made of what is saved but them. */
export function putSaved(root: object, classes: readonly Savable[]): void {
  const places = new Map<object, number>([[root, 0]]);
  const queue = [root];
  const put = (value: unknown): void => {
    if (typeof value === "object" && value !== null) {
      let place = places.get(value);
      if (place === undefined) {
        place = queue.push(value) - 1;
        places.set(value, place);
      }
      putListOf(2);
      putValue("#");
      putValue(place);
    } else putBare(value);
  };
  putList(() => {
    for (let at = 0; at < queue.length; at++) putNode(queue[at]!, classes, put);
    return queue.length;
  });
}

function putBare(value: unknown): void {
  if (value === undefined) {
    putListOf(1);
    putValue("u");
  } else if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    putListOf(2);
    putValue("n");
    putValue(Object.is(value, -0) ? "-0" : String(value));
  } else if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
    throw new Error(`a ${typeof value} cannot be saved`);
  else putValue(value);
}

/** A `Node`, whose slots are put by `put`. */
function putNode(value: object, classes: readonly Savable[], put: (value: unknown) => void): void {
  if (Array.isArray(value) || value instanceof Set) {
    putListOf(2);
    putValue(value instanceof Set ? "s" : "a");
    putListOf(value instanceof Set ? value.size : value.length);
    for (const item of value) put(item);
  } else if (value instanceof Map) {
    putListOf(2);
    putValue("m");
    putListOf(value.size);
    for (const [key, item] of value) {
      putListOf(2);
      put(key);
      put(item);
    }
  } else if (ArrayBuffer.isView(value)) putArray(value);
  else putInstance(value, classes, put);
}

function putArray(value: ArrayBufferView): void {
  const name = Object.entries(arrays).find(([, type]) => value instanceof type)?.[0];
  if (name === undefined) throw new Error(`an instance of ${value.constructor.name} cannot be saved`);
  putListOf(3);
  putValue("t");
  putValue(name);
  putValue(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}

function putInstance(value: object, classes: readonly Savable[], put: (value: unknown) => void): void {
  const proto: unknown = Object.getPrototypeOf(value);
  const isPlain = proto === Object.prototype || proto === null;
  const type = isPlain ? undefined : classes.find((c) => c.prototype === proto);
  if (!isPlain && !type) throw new Error(`an instance of ${value.constructor.name} cannot be saved`);
  putListOf(3);
  putValue(type?.freeze ? "f" : type ? "i" : "o");
  putValue(type?.name ?? "");
  if (type?.freeze) return putValue(type.freeze(value));
  const keys = Object.keys(value);
  putListOf(keys.length);
  for (const key of keys) {
    putListOf(2);
    putValue(key);
    put((value as Record<string, unknown>)[key]);
  }
}

/** The object that was saved, with the same references among its parts. Throws `malformed` for bytes that are no snapshot. */
export function load(bytes: Uint8Array, classes: readonly Savable[]): object {
  const nodes = decode(bytes, snapshotBytesMax, Number.POSITIVE_INFINITY) as Node[];
  const objects: (object | undefined)[] = new Array(nodes.length).fill(undefined);
  const classOf = (name: string): Savable => {
    const type = classes.find((c) => c.name === name);
    if (!type) throw new SwarmError("malformed", `the snapshot holds a ${name}, which nobody knows`);
    return type;
  };
  const value = (slot: Slot): unknown => {
    if (!Array.isArray(slot)) return slot;
    if (slot[0] === "u") return undefined;
    return slot[0] === "n" ? Number(slot[1]) : object(slot[1]);
  };
  const object = (place: number): object => {
    const known = objects[place];
    if (known) return known;
    const node = nodes[place];
    if (!node) throw new SwarmError("malformed", "the snapshot points outside itself");
    // The shell stands before it is filled, so that circles close.
    const shell = shellOf(node, classOf);
    objects[place] = shell;
    return shell;
  };
  try {
    for (let place = 0; place < nodes.length; place++) fill(object(place), nodes[place]!, value);
  } catch (cause) {
    throw cause instanceof SwarmError ? cause : new SwarmError("malformed", "not a snapshot", { cause });
  }
  return object(0);
}

function shellOf(node: Node, classOf: (name: string) => Savable): object {
  switch (node[0]) {
    case "o":
      return {};
    case "i":
      return Object.create(classOf(node[1]).prototype);
    case "a":
      return [];
    case "s":
      return new Set();
    case "m":
      return new Map();
    case "t": {
      const copy = node[2].slice();
      return new arrays[node[1]](copy.buffer, 0, copy.byteLength / arrays[node[1]].BYTES_PER_ELEMENT);
    }
    case "f":
      return classOf(node[1]).thaw!(node[2]);
  }
}

function fill(shell: object, node: Node, value: (slot: Slot) => unknown): void {
  if (node[0] === "o" || node[0] === "i") {
    // Defined, not set: a key may be named __proto__.
    for (const [key, slot] of node[2])
      Object.defineProperty(shell, key, {
        value: value(slot),
        writable: true,
        enumerable: true,
        configurable: true,
      });
  } else if (node[0] === "a") {
    for (const slot of node[1]) (shell as unknown[]).push(value(slot));
  } else if (node[0] === "s") {
    for (const slot of node[1]) (shell as Set<unknown>).add(value(slot));
  } else if (node[0] === "m") {
    for (const [key, slot] of node[1]) (shell as Map<unknown, unknown>).set(value(key), value(slot));
  }
}
