/** The names of things: branded strings, so that a build is never passed where an action is meant. */
import { base58btc } from "multiformats/bases/base58";

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

const ed25519Prefix = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20]; // identity multihash of a protobuf { type: Ed25519, 32 bytes }

const keys = new Map<string, Uint8Array>();

/** The 32 bytes of a peer's Ed25519 public key; undefined when the text is no such peer id. */
export function publicKeyOf(peer: string): Uint8Array | undefined {
  const known = keys.get(peer);
  if (known) return known;
  if (peer.length !== 52 || !peer.startsWith("12D3KooW")) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = base58btc.baseDecode(peer);
  } catch {
    return undefined;
  }
  if (bytes.length !== 38 || ed25519Prefix.some((b, i) => bytes[i] !== b)) return undefined;
  const key = bytes.slice(6);
  if (keys.size > 4096) keys.clear();
  keys.set(peer, key);
  return key;
}

const names = new Map<string, PeerId>();

/** The peer id of a 32-byte Ed25519 public key. */
export function peerIdOf(key: Uint8Array): PeerId {
  const cacheKey = String.fromCharCode(...key);
  const known = names.get(cacheKey);
  if (known) return known;
  const bytes = new Uint8Array(38);
  bytes.set(ed25519Prefix);
  bytes.set(key, 6);
  const peer = base58btc.baseEncode(bytes) as PeerId;
  if (names.size > 4096) names.clear();
  names.set(cacheKey, peer);
  return peer;
}

export const isPeerId = (text: string): text is PeerId => publicKeyOf(text) !== undefined;
export const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
export const isIncarnation = (text: string): text is Incarnation => /^[0-9]{1,15}-[0-9a-f]{8}$/.test(text);
export const isBuildId = (text: string): text is BuildId =>
  /^[a-z0-9][a-z0-9._-]{0,63}-[0-9a-f]{10}$/.test(text);

/** The counter in an incarnation; a higher one is a later start of the same daemon. */
export const incarnationCounter = (inc: Incarnation): number => Number.parseInt(inc, 10);

/** A chain belongs to (author, incarnation). */
export const chainOf = (author: PeerId, inc: Incarnation): string => `${author}.${inc}`;

/** Byte order of text, for every sort that a decision or an encoding depends on. Never locale order. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
