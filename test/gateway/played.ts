/** A `MemoryControl` whose builds are played when told to, and which says of each change what a timeline would. */
import type { TimelineLine, TimelineRequest } from "../../node/control/account.ts";
import { encodeGraph, type Graph } from "../../protocol/build/graph.ts";
import type { ActionName, BuildId, PeerId } from "../../protocol/kernel/ids.ts";
import { MemoryControl } from "../control/memory.ts";

export class Played extends MemoryControl {
  private readonly lines: TimelineLine[] = [];
  private wake = () => {};

  /** Submits a graph; nothing of it runs yet. */
  async plan(name: string, graph: Graph): Promise<BuildId> {
    const { bytes, digest } = encodeGraph({ ...graph, name });
    this.blobs.set(digest, bytes);
    for (const file of graph.files) this.blobs.set(file.digest, new Uint8Array());
    return (await this.submit({ name, graph: digest, priority: 0 })).build;
  }

  /** To its end. */
  async perform(build: BuildId): Promise<void> {
    for await (const event of this.watch(build, new AbortController().signal)) {
      if (event.kind === "end") this.say(build, "sealed", "alpha");
      if (event.kind !== "action") continue;
      const node = event.node ?? "alpha";
      const kinds =
        event.state === "running" ? ["claim", "start"] : [event.state === "done" ? "done" : "fail"];
      for (const kind of kinds) this.say(build, kind, node, event.action);
    }
  }

  /** One word of the timeline, heard by all who follow it. */
  say(build: BuildId, kind: string, node: string, action?: ActionName): void {
    this.lines.push({
      atMs: Date.UTC(2030, 0, 1) + 1000 * this.lines.length,
      node,
      peerId: node as PeerId,
      inc: "1-00000000",
      seq: this.lines.length,
      place: 0,
      entry: "e".repeat(64),
      build,
      family: "pipeline",
      kind,
      ...(action === undefined ? {} : { action }),
      text: `${kind} ${action ?? build}`,
      event: { kind, ...(action === undefined ? {} : { claim: action, holder: node }) } as { kind: string },
    });
    this.wake();
  }

  override async *timeline(
    { follow, build }: TimelineRequest,
    signal: AbortSignal,
  ): AsyncIterable<TimelineLine> {
    let at = follow ? this.lines.length : 0;
    signal.addEventListener("abort", () => this.wake());
    for (;;) {
      for (; at < this.lines.length; at++)
        if (build === undefined || this.lines[at]!.build === build) yield this.lines[at]!;
      if (!follow || signal.aborted) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (at < this.lines.length || signal.aborted) resolve();
      });
    }
  }
}
