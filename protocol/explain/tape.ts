/**
 * What is kept of a node's life so that it can be lived again: every input of its core with its moment, and a sum over the effects that came of it.
 * What came over the network is kept as the bytes it was, own words as their signatures alone: all else of them follows.
 */
import type { Effect, Input, Instant } from "../contract.ts";
import { encodeParts, putBytes, putListOf, putValue } from "../kernel/codec.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { PeerId } from "../kernel/ids.ts";
import { load, putSaved } from "../kernel/snapshot.ts";
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

/** So little has room from the start. */
const roomBytes = 16 << 10;
/** Before the steps, for the head of their list. */
const headRoomBytes = 9;

/** Steps as one canonical list of `TapeStep`, each turned into its bytes at once: nothing that the node lives through is held any longer for it. */
export class TapeFrame {
  steps = 0;
  private bytes = Buffer.allocUnsafeSlow(headRoomBytes + roomBytes);
  private end = headRoomBytes;

  /** `raw`: the bytes of a message or of gossip, where they are known. Answers the bytes of the step. Throws for what cannot be kept, and holds what it held. */
  add(input: Input, now: Instant, effects: readonly Effect[], raw: Uint8Array | undefined): number {
    const length = encodeParts(() => putStep(input, now, effects, raw), this.append);
    this.steps++;
    return length;
  }

  /** Of the steps. */
  get length(): number {
    return this.end - headRoomBytes;
  }

  /** It takes so much memory. */
  get room(): number {
    return this.bytes.length;
  }

  /** The list; its bytes are those of the frame, until it is cleared. */
  taken(): Uint8Array {
    const from = encodeParts(
      () => putListOf(this.steps),
      (head, start, end) => {
        head.copy(this.bytes, headRoomBytes - (end - start), start, end);
        return headRoomBytes - (end - start);
      },
    );
    return this.bytes.subarray(from, this.end);
  }

  clear(): void {
    this.steps = 0;
    this.end = headRoomBytes;
  }

  private readonly append = (source: Buffer, from: number, to: number): number => {
    const length = to - from;
    if (this.end + length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.end + length));
      this.bytes.copy(larger, 0, 0, this.end);
      this.bytes = larger;
    }
    this.end += source.copy(this.bytes, this.end, from, to);
    return length;
  };
}

function putStep(input: Input, now: Instant, effects: readonly Effect[], raw: Uint8Array | undefined): void {
  putListOf(6);
  putValue(input.kind);
  putValue(now.monoMs);
  putValue(now.wallMs);
  putInput(input, raw);
  putValue(sumOf(effects));
  putValue(effects.length === 1 ? effects[0]!.kind : effects.map((effect) => effect.kind).join(" "));
}

/** A `TapeInput`. */
function putInput(input: Input, raw: Uint8Array | undefined): void {
  if (input.kind === "tick" || input.kind === "started") putValue(null);
  else if (input.kind === "signed") {
    putListOf(2);
    putValue("sig");
    putValue(input.entry.sig);
  } else if ((input.kind === "message" || input.kind === "gossip") && raw) {
    putListOf(3);
    putValue("raw");
    putValue(input.from);
    putValue(raw);
  } else {
    putListOf(2);
    putValue("all");
    putBytes(() => putSaved(input, []));
  }
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
