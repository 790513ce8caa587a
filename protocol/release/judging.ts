/** What is held against an epoch before it is proposed: which packages must be read for that, and the risk that they and their origin come to. */
import { type Inspection, kindOfPackage, type PackageFile } from "../build/content.ts";
import type { Risk, RiskPolicy } from "../build/verdict.ts";
import { sizeOf } from "../kernel/digest.ts";
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { Manifest, ReleaseItem } from "./manifest.ts";
import { type Candidate, type Lack, riskOf } from "./risk.ts";
import type { Dispute } from "./staging.ts";
import { baseSonames } from "./targets.ts";

/** What holds where a node's owner says nothing. */
export const defaultRiskPolicy: RiskPolicy = { builders: 1, signed: false, base: baseSonames, foreign: [] };

/** The epoch that is to be, and the one before it. */
export interface Draft {
  readonly manifest: Manifest;
  readonly base: Manifest | undefined;
}

/** The policy by which an epoch is judged: what the epoch before asks for holds too. */
export const policyFor = (own: RiskPolicy, base: Manifest | undefined): RiskPolicy => ({
  ...own,
  builders: Math.max(own.builders, base?.builders ?? 1),
});

/** How many builders an epoch asks for of the next: more at any time, fewer only with a reason. */
export const buildersOf = (own: number, base: Manifest | undefined, reason: string | undefined) => {
  const wanted = reason === undefined ? Math.max(own, base?.builders ?? 1) : own;
  return wanted > 1 ? { builders: wanted } : {};
};

/**
 * The packages of both epochs, each once: those that come are judged, those that stay or go say what may be needed. A rollback brings back what was
 * judged before.
 */
export function packagesOf({ manifest, base }: Draft): PackageFile[] {
  if (manifest.rollback !== undefined) return [];
  const found = new Map<string, PackageFile>();
  for (const { path, digest, link } of [...manifest.items, ...(base?.items ?? [])]) {
    const kind = link === undefined ? kindOfPackage(path) : undefined;
    if (kind !== undefined) found.set(`${kind} ${digest}`, { path, digest });
  }
  return [...found.values()];
}

export interface Evidence {
  readonly policy: RiskPolicy;
  /** By digest. */
  readonly inspections: ReadonlyMap<Digest, Inspection>;
  /** Of the builders of an item, those whose word does not count. */
  readonly doubted: (item: ReleaseItem) => readonly PeerId[];
  /** What checks came to otherwise that ran a build again, by members whose word counts. */
  readonly disputes: (build: BuildId) => readonly Dispute[];
}

/** What the epoch before holds at its place is known: only what nobody trusts any more, and what goes from beside it, counts against it. */
export function riskOfDraft(
  { manifest, base }: Draft,
  { policy, inspections, doubted, disputes }: Evidence,
): Risk {
  const before = new Map(base?.items.map((item) => [item.path, item]));
  const here = new Set(manifest.items.map(({ digest }) => digest));
  const isRollback = manifest.rollback !== undefined;
  const lacks: Lack[] = [];
  const bringing = new Set<BuildId>();
  const candidates = manifest.items.flatMap((item): Candidate[] => {
    const { path, digest, nodes } = item;
    if (item.link !== undefined) return [];
    const old = before.get(path);
    const known = isRollback || old?.digest === digest;
    if (!known) bringing.add(item.build);
    const inspection = inspections.get(digest);
    if (inspection?.refused !== undefined && !known)
      lacks.push({ name: path, why: "refused", detail: inspection.refused });
    return [
      {
        path,
        sizeBytes: sizeOf(digest),
        ...(known ? { known: true as const } : {}),
        ...(inspection?.target === undefined ? {} : { target: inspection.target }),
        ...(inspection?.content ? { content: inspection.content } : {}),
        ...(nodes === undefined && policy.builders <= 1 ? {} : { builders: nodes ?? [] }),
        dissenters: item.dissenters ?? [],
        doubted: doubted(item),
        ...(inspection?.signed === undefined ? {} : { signature: inspection.signed ? "good" : "none" }),
        ...(old && !known
          ? {
              before: { sizeBytes: sizeOf(old.digest), odd: inspections.get(old.digest)?.content?.odd ?? [] },
            }
          : {}),
      },
    ];
  });
  const gone = (isRollback ? [] : (base?.items ?? [])).flatMap(({ digest }) => {
    const content = here.has(digest) ? undefined : inspections.get(digest)?.content;
    return content ? [content] : [];
  });
  const disputed = [...bringing].flatMap((build) => disputes(build).map((one) => ({ ...one, build })));
  return riskOf({ candidates, lacks, disputes: disputed, gone, policy });
}

/** As the manifest records it: the parts without their findings. Nothing is recorded where there is none. */
export const recorded = ({ score, parts }: Risk): Pick<Manifest, "risk"> =>
  parts.length === 0
    ? {}
    : { risk: { score, parts: parts.map(({ kind, points, count }) => ({ kind, points, count })) } };
