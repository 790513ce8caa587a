/** Where a home lies and where things lie in it. Light on purpose: the CLI asks at every start. */
import { homedir } from "node:os";
import path from "node:path";

/** Absolute places in a home. */
export interface HomePlaces {
  readonly identity: string;
  readonly config: string;
  /** The event store: entries of all chains, updates of live ledgers, the action cache. */
  readonly timeline: string;
  readonly blobs: string;
  readonly staging: string;
  readonly releases: string;
  /** What was read of packages, by digest; it may be removed. */
  readonly readings: string;
  /** A GNUPGHOME of the daemon's own, where its owner made one. */
  readonly keyRing: string;
  readonly work: string;
  readonly logs: string;
  /** What the node's core lived through, to be lived again; it may be removed. */
  readonly recordings: string;
  /** What was said as tables for queries; it may be removed. */
  readonly projection: string;
  /** What was found damaged, moved aside; it may be removed. */
  readonly quarantine: string;
  /** Which artifacts are output of actions that ran here, by day. */
  readonly actionLogs: string;
  /** Values that the owner gave for actions that name them. */
  readonly secrets: string;
  readonly peerBook: string;
  readonly controlSocket: string;
}

const systemHome = "/var/lib/swarmd";
/** Where binary packages of a Gentoo machine lie by convention, and web servers look for them. */
export const systemBinhost = "/var/cache/binpkgs";

/** Where the home lies if nobody says: $SWARMD_HOME, the system's place for root, else the XDG state folder. */
export function defaultHomeDir(env: Readonly<Record<string, string | undefined>>, uid: number): string {
  if (env.SWARMD_HOME) return path.resolve(env.SWARMD_HOME);
  const state = env.XDG_STATE_HOME;
  if (state && path.isAbsolute(state)) return path.join(state, "swarmd");
  if (uid === 0) return systemHome;
  return path.join(env.HOME || homedir(), ".local", "state", "swarmd");
}

/** Where released epochs are laid out if nobody says: root's daemon has them where web servers may read them. */
export const defaultBinhostPath = (home: string, uid: number): string =>
  home === systemHome && uid === 0 ? systemBinhost : placesOf(home).releases;

export function placesOf(dir: string): HomePlaces {
  return {
    identity: path.join(dir, "identity"),
    config: path.join(dir, "config.yaml"),
    timeline: path.join(dir, "timeline"),
    blobs: path.join(dir, "blobs"),
    staging: path.join(dir, "staging"),
    releases: path.join(dir, "releases"),
    readings: path.join(dir, "readings"),
    keyRing: path.join(dir, "gnupg"),
    work: path.join(dir, "work"),
    logs: path.join(dir, "logs"),
    recordings: path.join(dir, "recordings"),
    projection: path.join(dir, "projection", "timeline.sqlite"),
    quarantine: path.join(dir, "quarantine"),
    actionLogs: path.join(dir, "action-logs"),
    secrets: path.join(dir, "secrets"),
    peerBook: path.join(dir, "peers.json"),
    controlSocket: path.join(dir, "control.sock"),
  };
}
