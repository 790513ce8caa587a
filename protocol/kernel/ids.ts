/** The names of things: branded strings, so that a build is never passed where an action is meant. */
import { fromBase58, toBase58 } from "./base58.ts";

/** A libp2p peer id of an Ed25519 key, as text (`12D3KooW…`). A node, a member and an author are all named by it. */
export type PeerId = string & { readonly brand: "PeerId" };
/** sha2-256 (64 hex digits) of the root document: the swarm's name for ever. */
export type SwarmId = string & { readonly brand: "SwarmId" };
/** sha2-256 (64 hex digits) of an entry without its signature. */
export type EntryId = string & { readonly brand: "EntryId" };
/** One start of one daemon: `<counter>-<8 hex digits of nonce>`. */
export type Incarnation = string & { readonly brand: "Incarnation" };
/** One submission: `<name>-<10 hex digits>`; the digits bind submitter, graph and nonce. */
export type BuildId = string & { readonly brand: "BuildId" };
/** The name of an action, unique in its build: `compile/db_impl`. */
export type ActionName = string & { readonly brand: "ActionName" };
/** `<author>.<inc>.<n>`: the n-th claim its author wrote in one incarnation. */
export type ClaimId = string & { readonly brand: "ClaimId" };
/** The identity of a blob, `<64 hex digits of sha2-256>/<size in bytes>`. */
export type Digest = string & { readonly brand: "Digest" };

const knownMax = 4096;
const keys = new Map<string, Uint8Array>();
const names = new Map<string, PeerId>();

function know(peer: PeerId, key: Uint8Array, cacheKey: string): void {
  if (keys.size >= knownMax) keys.clear();
  if (names.size >= knownMax) names.clear();
  keys.set(peer, key);
  names.set(cacheKey, peer);
}

/** The 32 bytes of a peer's Ed25519 public key; undefined when the text is no such peer id. */
export function publicKeyOf(peer: string): Uint8Array | undefined {
  const known = keys.get(peer);
  if (known) return known;
  if (peer.length !== 52 || !peer.startsWith("12D3KooW")) return undefined;
  const key = fromBase58(peer);
  if (key) know(peer as PeerId, key, cacheKeyOf(key));
  return key;
}

/** The peer id of a 32-byte Ed25519 public key. */
export function peerIdOf(key: Uint8Array): PeerId {
  const cacheKey = cacheKeyOf(key);
  const known = names.get(cacheKey);
  if (known) return known;
  const peer = toBase58(key) as PeerId;
  know(peer, new Uint8Array(key), cacheKey);
  return peer;
}

const cacheKeyOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");

export const isPeerId = (text: string): text is PeerId => publicKeyOf(text) !== undefined;
export const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
export const isIncarnation = (text: string): text is Incarnation => /^[0-9]{1,15}-[0-9a-f]{8}$/.test(text);
export const isBuildId = (text: string): text is BuildId =>
  /^[a-z0-9][a-z0-9._-]{0,63}-[0-9a-f]{10}$/.test(text);

const sharedMax = 32_768;
const shared = new Map<string, string>();

/** Of equal ids the one that was met first: a table finds an id that is the very same text without reading it. */
export function oneOf<T extends string>(id: T): T {
  const known = shared.get(id);
  if (known !== undefined) return known as T;
  if (shared.size >= sharedMax) shared.clear();
  shared.set(id, id);
  return id;
}

/** The counter in an incarnation; a higher one is a later start of the same daemon. */
export const incarnationCounter = (inc: Incarnation): number => Number.parseInt(inc, 10);

/** A chain belongs to (author, incarnation). */
export function chainOf(author: PeerId, inc: Incarnation): string {
  const known = chains.get(author);
  if (known?.inc === inc) return known.chain;
  const chain = `${author}.${inc}`;
  if (chains.size >= chainsMax) chains.clear();
  chains.set(author, { inc, chain });
  return chain;
}

/** The chain of each author that was asked about last: made anew each time, its name would be hashed each time. */
const chains = new Map<PeerId, { readonly inc: Incarnation; readonly chain: string }>();
const chainsMax = 4096;

/** Byte order of text, for every sort that a decision or an encoding depends on. Never locale order. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
