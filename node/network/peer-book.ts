/** The peer book: every address at which a member was, or is said to be; kept on disk so that a restarted node finds the others though its first contact is gone. */
import { rename } from "node:fs/promises";
import { CODE_P2P, type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { z } from "zod";
import { byText, isPeerId, type PeerId } from "../../protocol/kernel/ids.ts";
import { readSmallFile, writeFileAtomic } from "../files.ts";
import type { Log } from "../log.ts";

const peersMax = 4_096;
const addressesMax = 16;
const addressCharsMax = 256;
const bookBytesMax = 32 << 20;
/** Changes within this time share one write. */
const saveDelayMs = 100;

const bookSchema = z.object({
  version: z.literal(1),
  peers: z.record(z.string(), z.array(z.string().max(addressCharsMax)).max(addressesMax)),
});

/** An address of a member without its peer id; undefined for text that is no TCP address, or ends in another peer's id. */
export function dialable(text: string, peer: PeerId): Multiaddr | undefined {
  if (text.length > addressCharsMax) return undefined;
  try {
    const address = multiaddr(text);
    const parts = address.getComponents();
    if (!["ip4", "ip6", "dns", "dns4", "dns6"].includes(parts[0]?.name ?? "")) return undefined;
    if (parts[1]?.name !== "tcp" || parts[1].value === "0") return undefined;
    if (parts.length === 2) return address;
    return parts.length === 3 && parts[2]!.code === CODE_P2P && parts[2]!.value === peer
      ? address.decapsulateCode(CODE_P2P)
      : undefined;
  } catch {
    return undefined;
  }
}

export const isLoopback = (address: Multiaddr): boolean => {
  const { name, value } = address.getComponents()[0] ?? {};
  return (name === "ip4" && value?.startsWith("127.") === true) || (name === "ip6" && value === "::1");
};

/** Only a scope, which we do not have, would make it an address. */
const isLinkLocal = (address: Multiaddr): boolean =>
  /^(fe[89ab][0-9a-f]:|169\.254\.)/i.test(address.getComponents()[0]?.value ?? "");

export class PeerBook {
  readonly #file: string;
  readonly #self: PeerId;
  readonly #log: Log;
  /** Best address first. */
  readonly #peers: Map<PeerId, readonly string[]>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string, self: PeerId, log: Log, peers: Map<PeerId, readonly string[]>) {
    this.#file = file;
    this.#self = self;
    this.#log = log;
    this.#peers = peers;
  }

  /** A damaged book is set aside (`.damaged`) and begun anew: it is a help, not a truth. */
  static async open(file: string, self: PeerId, log: Log): Promise<PeerBook> {
    const peers = new Map<PeerId, readonly string[]>();
    try {
      const text = await readSmallFile(file, bookBytesMax);
      if (text !== undefined)
        for (const [peer, addresses] of Object.entries(bookSchema.parse(JSON.parse(text)).peers))
          if (isPeerId(peer) && peer !== self && peers.size < peersMax)
            peers.set(
              peer,
              addresses.filter((a) => dialable(a, peer)),
            );
    } catch (error) {
      log.warn({ file, err: error }, "the peer book is damaged and was set aside");
      await rename(file, `${file}.damaged`).catch(() => {});
    }
    return new PeerBook(file, self, log, peers);
  }

  peers(): PeerId[] {
    return [...this.#peers.keys()];
  }

  /** Best first, without peer ids. */
  addresses(peer: PeerId): readonly string[] {
    return this.#peers.get(peer) ?? [];
  }

  /**
   * Takes in what can be dialled of these: before what is known, or after it when it is hearsay; the last go when it is too
   * much. False when nothing changed.
   */
  add(
    peer: PeerId,
    addresses: readonly string[],
    { viaLoopback, hearsay = false }: { readonly viaLoopback: boolean; readonly hearsay?: boolean },
  ): boolean {
    if (peer === this.#self) return false;
    const known = this.#peers.get(peer) ?? [];
    if (known.length === 0 && this.#peers.size >= peersMax) return false;
    const fresh = addresses.slice(0, addressesMax).flatMap((text) => {
      const address = dialable(text, peer);
      if (!address || isLinkLocal(address)) return [];
      // another machine's loopback address is our own
      return isLoopback(address) && !viaLoopback ? [] : [address.toString()];
    });
    const merged = [...new Set(hearsay ? [...known, ...fresh] : [...fresh, ...known])].slice(0, addressesMax);
    if (merged.length === known.length && merged.every((address, at) => address === known[at])) return false;
    this.#peers.set(peer, merged);
    this.#timer ??= setTimeout(() => this.#save(), saveDelayMs);
    return true;
  }

  /** Writes what is not yet on disk. */
  async flush(): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#save();
    }
    await this.#saving;
  }

  #save() {
    this.#timer = undefined;
    const peers = Object.fromEntries([...this.#peers].sort(([a], [b]) => byText(a, b)));
    const text = `${JSON.stringify({ version: 1, peers }, null, 1)}\n`;
    this.#saving = this.#saving
      .then(() => writeFileAtomic(this.#file, text))
      .catch((error) => this.#log.warn({ file: this.#file, err: error }, "the peer book was not saved"));
  }
}
