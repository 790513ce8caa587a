/** The doctor of a running daemon: what it finds about this machine, this node and its company, and what those of other members find. */
import type { Core } from "../../protocol/core.ts";
import type { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Finding, Patient } from "../control/api.ts";
import type { Misdeeds } from "../misdeeds.ts";
import type { Mesh } from "../ports.ts";
import type { Queries } from "../queries.ts";
import type { Quarantine } from "../store/quarantine.ts";
import { checkAnnounced, checkClocks, checkMisdeeds, checkReach, checkVersions } from "./company.ts";
import { checkMachine } from "./machine.ts";
import { checkDisk, checkForks } from "./memory.ts";
import { checkService } from "./service.ts";
import { checkState } from "./state.ts";

/** Whoever asks again within this gets the same answer. */
const freshMs = 2_000;

export interface DoctorParts {
  readonly core: Core;
  readonly queries: Queries;
  readonly mesh: Mesh;
  readonly home: string;
  /** Addresses that its owner has it tell others. */
  readonly announced: readonly string[];
  /** What binds each action here, in words. */
  readonly limits: string;
  /** What was refused of whom. */
  readonly misdeeds: Pick<Misdeeds, "tally">;
  readonly quarantine: Pick<Quarantine, "list" | "dir">;
}

export class Doctor {
  private readonly parts: DoctorParts;
  private last: { readonly atMs: number; readonly findings: Promise<Finding[]> } | undefined;

  constructor(parts: DoctorParts) {
    this.parts = parts;
  }

  /** The machine, the node, and what its company shows. */
  examine(): Promise<Finding[]> {
    const nowMs = performance.now();
    if (!this.last || nowMs - this.last.atMs > freshMs) this.last = { atMs: nowMs, findings: this.look() };
    return this.last.findings;
  }

  /** The same of every member, each asked itself, in the order of names. */
  fleet(): Promise<Patient[]> {
    const { core, queries, mesh } = this.parts;
    return Promise.all(
      queries.nodes().map(async ({ name: node, peerId, state }): Promise<Patient> => {
        if (peerId === core.desk.config.self) return { node, peerId, state, findings: await this.examine() };
        try {
          const { answer, via } = await mesh.inquire(peerId, { kind: "health" });
          const through = via === undefined ? {} : { via: queries.nameOf(via) };
          return { node, peerId, state, ...through, findings: answer.findings };
        } catch (error) {
          return { node, peerId, state, why: (error as SwarmError).message };
        }
      }),
    );
  }

  private async look(): Promise<Finding[]> {
    const { core, queries, mesh, home, limits, announced, misdeeds, quarantine } = this.parts;
    const machine = await checkMachine(home, portOf(mesh.addresses()));
    const firewall = machine.find(({ check }) => check === "firewall");
    return [
      ...machine,
      ...checkState(core, queries, mesh, limits),
      checkDisk(await quarantine.list(), quarantine.dir, core.upkeep.mender.missing),
      checkForks(queries.forks()),
      checkService(process.env),
      await checkReach(mesh, queries, firewall),
      ...(await checkAnnounced(announced, mesh, queries)),
      ...checkClocks(core, queries),
      checkVersions(queries),
      ...checkMisdeeds(misdeeds.tally(), queries),
    ];
  }
}

/** The port that a running daemon listens on; undefined when it listens nowhere. */
function portOf(addresses: readonly string[]): number | undefined {
  const port = addresses
    .map((address) => /\/tcp\/([0-9]+)/.exec(address)?.[1])
    .find((text) => text !== undefined);
  return port === undefined ? undefined : Number(port);
}
