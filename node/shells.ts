/** Rooms of actions, opened for people on this node: what they take is brought here, and they are laid out as the executor lays them out. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { GraphAction, InputFile } from "../protocol/build/graph.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { ActionName, Digest } from "../protocol/kernel/ids.ts";
import type { Artifacts } from "../protocol/ports.ts";
import type { Output } from "../protocol/timeline/events.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Claim } from "../protocol/work/claim.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { type Shortfall, shortfalls } from "../protocol/work/eligible.ts";
import { indexNamed } from "../protocol/work/named.ts";
import { makersOf } from "../protocol/work/rebuild.ts";
import type { LocalExecutor } from "./build/executor.ts";
import type { Room } from "./build/room.ts";
import type { ShellEvent, ShellRequest, Shells } from "./control/shells.ts";
import { gatherInputs } from "./gathered.ts";
import { placesOf } from "./home-places.ts";
import type { BlobStore } from "./ports.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";

const roomsMax = 8;
/** Of the home, below the place of work: what people wanted to keep of rooms, theirs to remove. */
const keptFolder = "shells";

export interface ShellParts {
  readonly desk: Desk;
  readonly queries: Pick<Queries, "nameOf">;
  readonly recall: Pick<Recall, "find">;
  readonly artifacts: Pick<Artifacts, "fetch" | "readTree">;
  readonly blobs: Pick<BlobStore, "has">;
  readonly executor: Pick<LocalExecutor, "open" | "sandbox">;
  readonly home: string;
}

export class OpenShells implements Shells {
  private readonly parts: ShellParts;
  private readonly rooms = new Map<string, { readonly room: Room; readonly name: string }>();

  constructor(parts: ShellParts) {
    this.parts = parts;
  }

  async *shell(request: ShellRequest, signal: AbortSignal): AsyncGenerator<ShellEvent> {
    const { build: id, action: name, command, terminal, term } = request;
    const build = await this.parts.recall.find(id);
    const index = indexIn(build, name);
    const action = build.claims!.action(index);
    this.demandFits(build, action);
    if (this.rooms.size >= roomsMax)
      throw new SwarmError("refused", `${roomsMax} rooms of actions are open on this node`, {
        remedy: "leave one of them: exit",
      });
    const claim = claimOf(build, index);
    const result =
      claim?.done && build.claims!.resultsOf(index).find((r) => r.hash === claim.done!.resultHash);
    const outputs =
      result?.result.outputs ?? (claim ? [] : (build.claims!.resultOf(index)?.result.outputs ?? []));
    const gathered = await gatherInputs(this.parts, build, index, claim?.pins);
    const made = await this.filesOf(outputs);
    const { missing, missingBytes: bytes } = gathered;
    if (missing.length > 0) yield { kind: "fetching", files: missing.length, bytes };
    await gathered.bring(made.map(({ digest }) => digest));
    const key = randomBytes(8).toString("hex");
    const { room, without } = await this.parts.executor.open(
      {
        argv: action.argv,
        env: action.env,
        files: gathered.files,
        outputs: action.outputs,
        toolchains: action.toolchains,
        ...(action.secrets ? { secrets: action.secrets } : {}),
        ...(action.requires?.cpus === undefined ? {} : { cpus: action.requires.cpus }),
      },
      made,
    );
    this.rooms.set(key, { room, name: `${id}-${name}` });
    try {
      const where = `${id} ${name}`;
      const use = {
        terminal,
        prompt: where,
        ...(term === undefined ? {} : { term }),
        ...(command === undefined ? {} : { command }),
      };
      yield {
        kind: "open",
        room: key,
        ...room.start(use),
        uid: process.geteuid?.() ?? -1,
        gid: process.getegid?.() ?? -1,
        place: room.place,
        replay: room.replay,
        sandbox: this.parts.executor.sandbox,
        ran: action.argv,
        made: outputs.map((output) => output.path),
        without,
        word: this.wordOf(build, index, claim),
      };
      await aborted(signal);
    } finally {
      this.close(key);
    }
  }

  async leaveShell(key: string, keep: boolean): Promise<{ kept?: string }> {
    const open = this.rooms.get(key);
    if (!open) throw new SwarmError("not-found", "this room was left already");
    if (!keep) {
      this.close(key);
      return {};
    }
    const folder = path.join(
      placesOf(this.parts.home).work,
      keptFolder,
      `${open.name.replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 128)}-${key.slice(0, 6)}`,
    );
    open.room.keep(folder);
    this.close(key);
    return { kept: folder };
  }

  private close(key: string): void {
    this.rooms.get(key)?.room.close();
    this.rooms.delete(key);
  }

  private wordOf(build: Build, index: number, claim: Claim | undefined): string {
    const on = claim && `on ${this.parts.queries.nameOf(claim.holder)}`;
    if (claim?.fail) return `it failed ${on}: ${claim.fail.reason}`;
    if (claim?.done) return `it was done ${on}`;
    if (build.claims!.wasCached(index)) return "its result came from the cache";
    return claim ? `it was begun ${on}` : "it was not begun yet";
  }

  /** Throws `no-eligible-node` where this machine is not made for it. Whether it has a slot free is no matter. */
  private demandFits(build: Build, action: GraphAction): void {
    const { desk, queries } = this.parts;
    const { self } = desk.config;
    const fits = (peer: string): Shortfall[] => {
      const vitals = desk.seen().find((one) => one.peer === peer);
      if (!vitals) return [];
      const { requires, secrets: _, checks: __, ...rest } = action;
      const asked = {
        ...rest,
        ...(requires?.target === undefined ? {} : { requires: { target: requires.target } }),
      };
      const idle = { ...vitals, slots: 1, slotsMax: 1, fenced: false };
      return shortfalls(idle, asked, build.submission!.author).filter(({ never }) => never);
    };
    const own = fits(self);
    if (own.length === 0) return;
    const others = desk.seen().filter(({ peer }) => peer !== self && fits(peer).length === 0);
    const names = others.map(({ peer }) => queries.nameOf(peer));
    throw new SwarmError(
      "no-eligible-node",
      `${action.name} cannot run on ${queries.nameOf(self)}: it ${own.map(({ text }) => text).join(", ")}`,
      {
        remedy:
          names.length > 0
            ? `there it can: ${names.join(", ")} (on that machine: swarmd shell ${build.id} ${action.name})`
            : "no member that is here can run it: swarmd node list",
      },
    );
  }

  /** What lies in outputs, at the places where it was made. */
  private async filesOf(outputs: readonly Output[]): Promise<InputFile[]> {
    const lists = await Promise.all(
      outputs.map(async ({ path: at, kind, digest, executable = false }): Promise<InputFile[]> => {
        if (kind === "file") return [{ path: at, digest, executable }];
        const files = await this.readTree(digest);
        return (files ?? []).map((file) => ({ ...file, path: `${at}/${file.path}` }));
      }),
    );
    return lists.flat();
  }

  private readTree(digest: Digest): Promise<InputFile[] | null> {
    const want = { digest, from: this.parts.desk.preferred([]) };
    return new Promise((resolve) => this.parts.artifacts.readTree(want, resolve));
  }
}

/** The run that is looked into: the last that failed for good, else one that came to the result that stands, else the last. */
function claimOf(build: Build, index: number): Claim | undefined {
  const claims = build.claims!;
  const runs = claims.claimsOf(index);
  if (claims.actions.get(index) !== "done") {
    const failed =
      runs.findLast(({ fail }) => fail?.cause === "deterministic") ?? runs.findLast(({ fail }) => fail);
    if (failed) return failed;
  }
  return makersOf(claims, index)[0] ?? (claims.wasCached(index) ? undefined : runs.at(-1));
}

function indexIn(build: Build, name: ActionName): number {
  if (!build.claims)
    throw new SwarmError("blob-missing", `the plan of ${build.id} is not here yet`, {
      remedy: "see which members are away: swarmd status",
    });
  return indexNamed(build, name);
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
