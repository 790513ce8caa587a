/**
 * What is kept of a node's life so that it can be lived again: every input of its core with its moment, and a sum over the effects that came of it.
 * What came over the network is kept as the bytes it was, own words as their signatures alone: all else of them follows.
 */
import type { Effect, Input, Instant } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { PeerId } from "../kernel/ids.ts";
import { load, save } from "../kernel/snapshot.ts";
import { readGossip, readMessage } from "../swarm/message.ts";
import { signedEntry } from "../timeline/entry.ts";
import { readUpdate } from "../work/ledger.ts";

/** One step as it is kept: input kind, monotonic and wall milliseconds, what the input was, the sum over its effects, their kinds. */
export type TapeStep = readonly [
  kind: string,
  monoMs: number,
  wallMs: number,
  input: TapeInput,
  sum: string,
  effects: string,
];

type TapeInput =
  /** Its kind says all. */
  | null
  /** As it came over the network, and from whom. */
  | readonly ["raw", string, Uint8Array]
  /** The signature of the own entry that the step before asked to sign. */
  | readonly ["sig", Uint8Array]
  | readonly ["all", Uint8Array];

export type SignEffect = Extract<Effect, { kind: "sign" }>;

/** `raw`: the bytes of a message or of gossip, where they are known. */
export function taped(
  input: Input,
  now: Instant,
  effects: readonly Effect[],
  raw: Uint8Array | undefined,
): TapeStep {
  return [
    input.kind,
    now.monoMs,
    now.wallMs,
    tapedInput(input, raw),
    sumOf(effects),
    effects.map((effect) => effect.kind).join(" "),
  ];
}

function tapedInput(input: Input, raw: Uint8Array | undefined): TapeInput {
  if (input.kind === "tick" || input.kind === "started") return null;
  if (input.kind === "signed") return ["sig", input.entry.sig];
  if ((input.kind === "message" || input.kind === "gossip") && raw) return ["raw", input.from, raw];
  return ["all", save(input, [])];
}

/** The input that was. `awaited`: the entry that waits for its signature, where one does. Throws `malformed`. */
export function untaped([kind, , , input]: TapeStep, awaited: SignEffect | undefined): Input {
  if (input === null) {
    if (kind !== "tick" && kind !== "started")
      throw new SwarmError("malformed", `a tape without the input ${kind}`);
    return { kind };
  }
  if (input[0] === "raw") {
    const [, from, bytes] = input;
    if (kind === "message") return { kind, from: from as PeerId, message: readMessage(bytes, readUpdate) };
    return { kind: "gossip", from: from as PeerId, message: readGossip(bytes, readUpdate, () => true) };
  }
  if (input[0] === "sig") {
    if (!awaited) throw new SwarmError("malformed", "a signature for an entry that nobody wrote");
    return { kind: "signed", entry: signedEntry(awaited.entry, awaited.body, awaited.id, input[1]) };
  }
  return load(input[1], []) as Input;
}

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);

/** Two lanes over everything that a value consists of, in order; equal values have equal sums. */
class Sum {
  private a = 0xdeadbeef | 0;
  private b = 0x41c6ce57 | 0;

  word(n: number): void {
    this.a = Math.imul(this.a ^ n, 2654435761);
    this.b = Math.imul(this.b ^ n, 1597334677);
    this.a ^= this.a >>> 15;
    this.b ^= this.b >>> 13;
  }

  text(text: string): void {
    this.word(text.length);
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
  }

  bytes(bytes: Uint8Array): void {
    this.word(bytes.length);
    for (let i = 0; i < bytes.length; i++) this.word(bytes[i]!);
  }

  value(value: unknown): void {
    if (typeof value === "string") {
      this.word(1);
      this.text(value);
    } else if (typeof value === "number") {
      scratch[0] = value;
      this.word(words[0]!);
      this.word(words[1]!);
    } else if (typeof value !== "object" || value === null)
      this.word(value === undefined ? 2 : value === null ? 3 : value === true ? 4 : 5);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) {
      this.word(value.length);
      for (const item of value) this.value(item);
    } else if (isSigned(value)) {
      // The id covers all that it says.
      this.text(value.id);
      this.bytes(value.sig);
    } else if (isSign(value)) this.text(value.id);
    else if (value instanceof Map) for (const pair of value) this.value(pair);
    else
      for (const key in value) {
        this.text(key);
        this.value((value as Record<string, unknown>)[key]);
      }
  }

  get hex(): string {
    return [this.a, this.b].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

const isSigned = (value: object): value is { id: string; sig: Uint8Array } =>
  "sig" in value && "id" in value && "bytes" in value;

const isSign = (value: object): value is { id: string } => "body" in value && "id" in value;

/** 16 hex digits over all effects of a step; equal effects have equal sums. */
export function sumOf(effects: readonly Effect[]): string {
  const sum = new Sum();
  for (const effect of effects) sum.value(effect);
  return sum.hex;
}
