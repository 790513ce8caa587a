/** Who this node is: an Ed25519 key in the home's `identity/`, readable by its owner only, and the counter of its starts. */
import { createPrivateKey, randomBytes } from "node:crypto";
import { copyFile, rename, stat } from "node:fs/promises";
import path from "node:path";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type Incarnation, incarnationCounter, isIncarnation, type PeerId } from "../protocol/kernel/ids.ts";
import type { Signer } from "../protocol/ports.ts";
import { readSmallFile, writeFileAtomic, writeFileOnce } from "./files.ts";
import { createSigner, newSeed, privateKeyOf, seedOf } from "./signer.ts";

export interface Identity {
  readonly peer: PeerId;
  /** The 32-byte seed of the key (a function, so that it never shows in a log): what libp2p's `generateKeyPairFromSeed("Ed25519", seed)` takes. */
  seed(): Uint8Array;
  readonly signer: Signer;
}

const keyBytesMax = 4096;

/** The key of this node, `folder/node.key`, made there the first time. Throws `home-invalid` for one that cannot be trusted. */
export const obtainIdentity = (folder: string): Promise<Identity> => obtainKey(path.join(folder, "node.key"));

/** The key this node changes to, `folder/next.key`, made there when it is first asked for. */
export const obtainNextIdentity = (folder: string): Promise<Identity> =>
  obtainKey(path.join(folder, "next.key"));

/** The next key takes the place of `peer`'s, which stays under a name of its own. Does nothing when there is no next key. */
export async function changeKeys(folder: string, peer: PeerId): Promise<void> {
  const next = path.join(folder, "next.key");
  if ((await readSmallFile(next, keyBytesMax)) === undefined) return;
  const current = path.join(folder, "node.key");
  const before = path.join(folder, `${peer}.key`);
  // A crash in between leaves both: the new one is moved again.
  if ((await obtainKey(current)).peer === peer) await copyFile(current, before);
  await rename(next, current);
}

/** The root key of a swarm, `folder/root.key`; one that an interrupted founding left there is used, never overwritten. */
export const obtainRootKey = (folder: string): Promise<Identity> => obtainKey(path.join(folder, "root.key"));

/**
 * The name of this start of the daemon: a counter kept durably before it is used, plus a nonce, so that a home restored from
 * a backup does not speak under a name it used before. `known`: the highest counter this node's own entries show, for the store
 * may have heard from others what the file forgot; 0 for none.
 */
export async function nextIncarnation(folder: string, known = 0): Promise<Incarnation> {
  const file = path.join(folder, "incarnation");
  const last = (await readSmallFile(file, 64))?.trim();
  if (last !== undefined && !isIncarnation(last)) throw damaged(file, "does not hold the count of starts");
  const counter = Math.max(known, last === undefined ? 0 : incarnationCounter(last)) + 1;
  const next = `${counter}-${randomBytes(4).toString("hex")}` as Incarnation;
  await writeFileAtomic(file, `${next}\n`);
  return next;
}

async function obtainKey(file: string): Promise<Identity> {
  if ((await readSmallFile(file, keyBytesMax)) === undefined) await writeFileOnce(file, keyText(newSeed()));
  const seed = await readKey(file);
  const signer = createSigner(seed);
  return { peer: signer.self, signer, seed: () => seed };
}

const keyText = (seed: Uint8Array) => privateKeyOf(seed).export({ format: "pem", type: "pkcs8" });

async function readKey(file: string): Promise<Uint8Array> {
  const text = await readSmallFile(file, keyBytesMax);
  const { mode, uid } = await stat(file);
  const self = process.getuid?.();
  if ((mode & 0o077) !== 0)
    throw new SwarmError(
      "home-invalid",
      `${file} can be read by others (mode ${(mode & 0o777).toString(8)})`,
      {
        remedy: `chmod 600 ${file}`,
      },
    );
  if (self !== undefined && uid !== self)
    throw new SwarmError("home-invalid", `${file} belongs to another user (${uid}, not ${self})`, {
      remedy: `run swarmd as that user, or use another --home`,
    });
  try {
    const seed = seedOf(createPrivateKey(text ?? ""));
    if (seed) return seed;
  } catch {
    // Reported below: whatever is wrong with it, it is no key of ours.
  }
  throw damaged(file, "is not an Ed25519 private key");
}

const damaged = (file: string, what: string) =>
  new SwarmError("home-invalid", `${file} ${what}`, {
    remedy: "restore it from a backup, or join again with another --home",
  });
