/**
 * Messages made smaller for the wire. What members say names the same few things again and again: the swarm, its members, the words of the
 * vocabulary. A dictionary of those stands before what deflate sees, so that even a short message need not spell them. Format in specs/messages.md.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { encode } from "../../protocol/kernel/codec.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { byText, type PeerId, type SwarmId } from "../../protocol/kernel/ids.ts";

/** Below this there is nothing to gain. */
const pressBytesMin = 96;
/** Of a larger swarm the first members in byte order are in the dictionary. */
const namedMax = 32;
/** Lists of members that are remembered, for what is on its way while one changes. */
const listsMax = 8;
/** Small enough to be set up for each message, 48 KiB, and larger than any dictionary with a message behind it. */
const shape = { windowBits: 13, memLevel: 5, level: 6 } as const;

/** The first byte of a message: that of a bare one is 0xa0 to 0xbf, a map of dag-cbor. */
const bySwarm = 1;
const byMembers = 2;
const reads = 3;
/** Added to it: the author sent the message to every member itself. */
const direct = 0x10;
const markBytes = 4;

/** The vocabulary, as it is encoded: it stays as it is, for older and newer members read by it; other words are another first byte. Its order is that of what stands nearest to a message last. */
const words = Buffer.concat(
  [
    {
      limitedBy: "",
      cores: 0,
      fenced: false,
      foreign: true,
      labels: [],
      policy: "normal",
      running: 0,
      slotsMax: 0,
    },
    { cpu: 0, io: 0, memory: 0 },
    { headroomCelsius: "unknown", temperatureCelsius: "unknown", load: 0.5, pressurePercent: "unknown" },
    {
      memoryFreeBytes: 1,
      memoryTotalBytes: 1,
      diskFreeBytes: 1,
      diskTotalBytes: 1,
      reservedBytes: 0,
      wallMs: 1,
    },
    {
      kind: "vitals",
      archive: "",
      frontier: "",
      ledgers: {},
      toolchains: {},
      target: "x86_64-linux-gnu",
      sandbox: "none",
    },
    { kind: "expire", reason: "" },
    { kind: "view", digest: "", nodes: [{ headroom: "unknown", peer: "", slots: 1, speed: 1 }] },
    { kind: "abandon", claim: "", reason: "it waits behind a slow action of its bundle" },
    { kind: "ask", actions: [], count: 1 },
    { kind: "cached", from: "", made: { action: "", build: "", by: "" }, told: "" },
    { kind: "fail", cause: "deterministic", exitCode: 1, signal: "" },
    { digest: "", executable: true, kind: "file", path: "" },
    { outputs: [], stderr: "", stdout: "" },
    { cpuMs: 0, fetchMs: 0, fetchedBytes: 0, maxRssBytes: 0, wallMs: 0 },
    { kind: "grant", id: "", build: "", update: new Uint8Array() },
    { kind: "ledger", build: "", update: new Uint8Array() },
    {
      parts: { free: 0, heat: 0.5, history: 0.75, local: 1, policy: 0.7, speed: 1 },
      others: [],
      partial: true,
      score: 0.5,
      seen: 1,
      view: "",
      mode: "",
    },
    { claim: "", attempt: 1, pins: [], turn: 1, twin: true },
    { kind: "claim", action: "", attempt: 1, claim: "", holder: "", holderInc: "1-", key: "", why: {} },
    { kind: "start", claim: "" },
    { kind: "done", claim: "", key: "", result: { outputs: [] }, usage: {} },
    { v: 1, hlc: [0, 0], inc: "1-", seq: 1, last: 1, prev: "", build: "", events: [] },
  ].map(encode),
);

interface Dictionary {
  /** Names the list of members it was made of, as hex. */
  readonly mark: string;
  readonly bytes: Uint8Array;
}

/** Presses what this node says, and undoes what others pressed. */
export class Press {
  readonly #swarm: SwarmId;
  readonly #plain: Dictionary;
  readonly #members: () => readonly PeerId[];
  /** By mark, the latest last. */
  readonly #lists = new Map<string, Dictionary>();
  /** What peers said they read: the mark of their latest list. */
  readonly #reads = new Map<PeerId, string>();
  #latest: Dictionary;
  #others = 0;

  /** `members`: all there are now. */
  constructor(swarm: SwarmId, members: () => readonly PeerId[]) {
    this.#swarm = swarm;
    this.#members = members;
    this.#plain = dictionaryOf([swarm]);
    this.#latest = this.#plain;
    this.membersChanged();
  }

  /** True when there is something to tell all peers: a new greeting. */
  membersChanged(): boolean {
    const members = this.#members();
    this.#others = members.length - 1;
    const named = [...members].sort(byText).slice(0, namedMax);
    const latest = dictionaryOf([...named.flatMap((peer) => [Buffer.from(peer), peer]), this.#swarm]);
    const changed = latest.mark !== this.#latest.mark;
    this.#latest = latest;
    this.#lists.delete(latest.mark);
    this.#lists.set(latest.mark, latest);
    if (this.#lists.size > listsMax) this.#lists.delete(this.#lists.keys().next().value!);
    return changed;
  }

  /** Tells a peer what this node reads: the first word on each line, and again when it changes. */
  greeting(): Uint8Array {
    return Buffer.concat([Uint8Array.of(reads), Buffer.from(this.#latest.mark, "hex")]);
  }

  /** Whether a message is a peer's greeting: no more to be done with it then. */
  greets(peer: PeerId, message: Uint8Array): boolean {
    if (message[0] !== reads || message.length !== 1 + markBytes) return false;
    this.#reads.set(peer, Buffer.from(message.subarray(1)).toString("hex"));
    return true;
  }

  /** There is no line to that peer any more. */
  gone(peer: PeerId): void {
    this.#reads.delete(peer);
  }

  /** As all of `to` can read it: bare, while one of them has not said that it reads at all. What goes to as many `hearers` as there are other members says so: nobody need pass it on. */
  press(message: Uint8Array, to: readonly PeerId[], hearers?: number): Uint8Array {
    if (message.length < pressBytesMin || !to.every((peer) => this.#reads.has(peer))) return message;
    const { mark, bytes } = this.#latest;
    const named = to.length > 0 && to.every((peer) => this.#reads.get(peer) === mark);
    const head = named ? [Uint8Array.of(byMembers), Buffer.from(mark, "hex")] : [Uint8Array.of(bySwarm)];
    const dictionary = named ? bytes : this.#plain.bytes;
    const pressed = Buffer.concat([...head, deflateRawSync(message, { ...shape, dictionary })]);
    if (hearers !== undefined && hearers === this.#others) pressed[0]! |= direct;
    return pressed.length < message.length ? pressed : message;
  }

  /** Throws `malformed`, also for members that this node does not know of; `too-large` for more than `maxBytes` that would come of it. */
  open(message: Uint8Array, maxBytes: number): Uint8Array {
    const kind = message[0]! & ~direct;
    if (kind !== bySwarm && kind !== byMembers) return message;
    const from = kind === bySwarm ? 1 : 1 + markBytes;
    const mark = Buffer.from(message.subarray(1, from)).toString("hex");
    const known = kind === bySwarm ? this.#plain : this.#lists.get(mark);
    if (!known) throw new SwarmError("malformed", "a message is pressed by a list of members not known here");
    try {
      const { windowBits } = shape;
      return inflateRawSync(message.subarray(from), {
        windowBits,
        dictionary: known.bytes,
        maxOutputLength: maxBytes,
      });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
        throw new SwarmError("too-large", `a message of more than ${maxBytes} bytes was pressed`, { cause });
      throw new SwarmError("malformed", "not a pressed message", { cause });
    }
  }
}

/** Whether its author sent a message to every member itself. */
export const isDirect = (message: Uint8Array): boolean =>
  message[0] === (bySwarm | direct) || message[0] === (byMembers | direct);

function dictionaryOf(names: readonly (string | Uint8Array)[]): Dictionary {
  const bytes = Buffer.concat([
    ...names.map((name) => (typeof name === "string" ? encode(name) : name)),
    words,
  ]);
  return { mark: sha256Hex(bytes).slice(0, 2 * markBytes), bytes };
}
