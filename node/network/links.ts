/**
 * Which connections are links between members: from the moment one opens, through admission, to its end. A peer counts as
 * connected from its first link with a line of our own until that line breaks; a second link takes over at once, but as a new
 * connection, for what was on its way may be lost.
 */
import type { Connection } from "@libp2p/interface";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../../protocol/ports.ts";
import type { Log } from "../log.ts";
import { differ, version } from "../version.ts";
import { exchange, judge } from "./admission.ts";
import { admissionMsMax, type Gate, peerOf } from "./gate.ts";
import { type Line, openLine } from "./messages.ts";
import type { Press } from "./press.ts";

const foreignWords = `it speaks no protocol of this version, which is ${version}: bring both to one version`;

/** Connections of strangers at the door at once. */
const strangersMax = 128;

interface Link {
  readonly connection: Connection;
  readonly peer: PeerId;
  /** At the door until then: closes the connection if it is no link by its end. */
  door: ReturnType<typeof setTimeout> | undefined;
  state: "door" | "opening" | "linked" | "closed";
  line?: Line;
  /** It is admitted, and has no messages protocol that this version has. */
  foreign?: true;
  linkedAtMs: number;
}

export interface LinksOptions {
  readonly handlers: Pick<
    NetworkHandlers,
    "admits" | "presentation" | "admission" | "connected" | "disconnected"
  >;
  readonly gate: Gate;
  readonly press: Press;
  readonly log: Log;
  /** A connection became a link: what else runs on it may start. */
  readonly linked: (connection: Connection) => void;
  /** A member speaks no protocol that this version speaks: who it is, and which version it runs, may still be asked. */
  readonly foreign: (connection: Connection) => void;
  /** Which version a peer said it runs. */
  readonly versionOf: (peer: PeerId) => string | undefined;
  /** A connection is gone; `linkedMs` is how long it was a link (0: never). */
  readonly closed: (peer: PeerId, linkedMs: number) => void;
}

export class Links {
  readonly #options: LinksOptions;
  readonly #links = new Map<Connection, Link>();
  /** The link whose line carries the messages. */
  readonly #active = new Map<PeerId, Link>();
  readonly #waiting = new Map<PeerId, Set<() => void>>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** A connection opened, in either direction. */
  opened(connection: Connection): void {
    const peer = peerOf(connection);
    const link: Link = { connection, peer, door: undefined, state: "door", linkedAtMs: 0 };
    this.#links.set(connection, link);
    if (!this.#options.gate.admits(peer) && this.#strangers() > strangersMax) {
      this.refuse(connection, "too many strangers at the door");
      return;
    }
    link.door = setTimeout(
      () => this.refuse(connection, link.foreign ? foreignWords : "not admitted in time"),
      admissionMsMax,
    );
    this.settle(connection);
    if (connection.direction === "outbound") void this.#present(link);
  }

  /** Makes a link of a connection whose peer is admitted by now. */
  settle(connection: Connection): void {
    const link = this.#links.get(connection);
    if (link?.state !== "door" || !this.#options.gate.admits(link.peer)) return;
    link.state = "opening";
    openLine(connection, () => this.#broken(link)).then(
      (line) => this.#linked(link, line),
      (error) => {
        // what redeems a ticket is admitted, has no messages to hear, and hangs up by itself
        this.#options.log.debug({ peer: link.peer, err: error }, "no line could be opened");
        if (link.state !== "opening") return;
        link.state = "door";
        if ((error as Error).name !== "UnsupportedProtocolError") return;
        link.foreign = true;
        this.#options.foreign(connection);
      },
    );
  }

  /** Sends a connection away. */
  refuse(connection: Connection, why: string): void {
    const link = this.#links.get(connection);
    if (!link || link.state === "closed") return;
    const address = connection.remoteAddr.toString();
    const theirs = this.#options.versionOf(link.peer);
    const skewed =
      theirs === undefined || !differ(theirs, version) ? {} : { theirVersion: theirs, ownVersion: version };
    this.#options.log.info({ peer: link.peer, address, why, ...skewed }, "a connection was refused");
    this.ended(connection);
    connection.abort(new SwarmError("not-a-member", why));
  }

  /** A connection is gone. */
  ended(connection: Connection): void {
    const link = this.#links.get(connection);
    if (!link) return;
    this.#links.delete(connection);
    clearTimeout(link.door);
    link.state = "closed";
    this.#deactivate(link);
    this.#options.closed(link.peer, link.linkedAtMs ? performance.now() - link.linkedAtMs : 0);
  }

  /** Everyone is asked again: links of former members end, those at the door may come in. */
  recheck(): void {
    this.#options.gate.recheck();
    for (const link of [...this.#links.values()]) {
      if (link.state === "door") this.settle(link.connection);
      else if (!this.#options.gate.admits(link.peer)) this.refuse(link.connection, "no longer a member");
    }
  }

  /** False when there is no link. */
  send(to: PeerId, message: Uint8Array): boolean {
    const outcome = this.#active.get(to)?.line?.send(this.#options.press.press(message, [to]));
    if (outcome === "dropped")
      this.#options.log.debug({ peer: to, bytes: message.length }, "a message was dropped");
    return outcome !== undefined;
  }

  /** Over every link of a peer that has several; nothing otherwise. */
  echo(to: PeerId, message: () => Uint8Array): void {
    const active = this.#active.get(to);
    if (!active) return;
    const lines: Line[] = [];
    for (const { peer, line } of this.#links.values()) if (peer === to && line) lines.push(line);
    if (lines.length < 2) return;
    // not by what one of them reads: they may be two machines
    const said = this.#options.press.press(message(), []);
    for (const line of lines) line.send(said);
  }

  /** Tells all peers anew what this node reads. */
  greet(): void {
    for (const { line } of this.#links.values()) line?.send(this.#options.press.greeting());
  }

  /** The connection to use towards a member; undefined when there is none. */
  to(peer: PeerId): Connection | undefined {
    return this.#active.get(peer)?.connection;
  }

  /** Members that are connected. */
  peers(): PeerId[] {
    return [...this.#active.keys()];
  }

  /** True once the peer is connected; false if that takes too long. */
  async connected(peer: PeerId): Promise<boolean> {
    if (this.#active.has(peer)) return true;
    const waiting = this.#waiting.get(peer) ?? new Set();
    this.#waiting.set(peer, waiting);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const go = () => resolve(true);
    const timer = setTimeout(resolve, admissionMsMax, false);
    waiting.add(go);
    const connected = await promise;
    clearTimeout(timer);
    waiting.delete(go);
    if (waiting.size === 0 && this.#waiting.get(peer) === waiting) this.#waiting.delete(peer);
    return connected;
  }

  /** Forgets all links without closing them or telling anyone. */
  stop(): void {
    for (const link of this.#links.values()) {
      clearTimeout(link.door);
      link.state = "closed";
    }
    this.#links.clear();
    this.#active.clear();
    for (const waiting of this.#waiting.values()) for (const go of waiting) go();
  }

  #strangers(): number {
    let strangers = 0;
    for (const link of this.#links.values()) if (link.state === "door") strangers++;
    return strangers;
  }

  async #present(link: Link) {
    const { handlers, gate, log } = this.#options;
    try {
      const reply = await exchange(link.connection, handlers.presentation());
      await judge(handlers, link.peer, reply);
      gate.recheck();
      this.settle(link.connection);
      if (!gate.admits(link.peer)) this.refuse(link.connection, "its presentation did not convince");
    } catch (error) {
      if (link.state !== "door") return;
      log.debug({ peer: link.peer, err: error }, "presenting ourselves failed");
      this.refuse(link.connection, "it did not answer our presentation");
    }
  }

  #linked(link: Link, line: Line) {
    if (link.state !== "opening") return;
    clearTimeout(link.door);
    link.state = "linked";
    link.line = line;
    line.send(this.#options.press.greeting());
    link.linkedAtMs = performance.now();
    if (!this.#active.has(link.peer)) this.#activate(link);
    this.#options.linked(link.connection);
  }

  #broken(link: Link) {
    if (link.state === "closed") return;
    this.ended(link.connection);
    link.connection.abort(new Error("its line broke"));
  }

  #activate(link: Link) {
    this.#active.set(link.peer, link);
    this.#options.handlers.connected(link.peer);
    for (const go of this.#waiting.get(link.peer) ?? []) go();
  }

  #deactivate(link: Link) {
    if (this.#active.get(link.peer) !== link) return;
    this.#active.delete(link.peer);
    this.#options.press.gone(link.peer);
    this.#options.handlers.disconnected(link.peer);
    for (const other of this.#links.values())
      if (other.peer === link.peer && other.state === "linked") {
        this.#activate(other);
        return;
      }
  }
}
