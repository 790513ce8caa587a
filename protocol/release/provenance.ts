/**
 * Where an artifact comes from, in the words that others read too: an in-toto Statement v1 with the SLSA v1 provenance predicate, and the bytes that
 * DSSE signs. Specified in specs/provenance.md.
 */
import { hashOf } from "../kernel/digest.ts";
import {
  type ActionName,
  type BuildId,
  byText,
  type Digest,
  type PeerId,
  type SwarmId,
} from "../kernel/ids.ts";

/** What is known of how an artifact was made. */
export interface ProvenanceFacts {
  readonly swarm: SwarmId;
  readonly artifact: { readonly path: string; readonly digest: Digest };
  /** The same with something added for its clients, a signature, at the paths where they find it. */
  readonly servedAs?: readonly { readonly path: string; readonly digest: Digest }[];
  readonly build: BuildId;
  readonly spec: {
    readonly name: string;
    readonly graph: Digest;
    readonly submittedBy: PeerId;
    readonly atMs: number;
  };
  readonly action: {
    readonly name: ActionName;
    /** The REAPI action digest: two makings of one key had the same command and inputs. */
    readonly key: Digest;
    readonly argv: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    /** Toolchain → fingerprint. */
    readonly toolchains: Readonly<Record<string, string>>;
    readonly target?: string;
  };
  /** What it was made of: submitted files, and outputs of other actions. */
  readonly inputs: readonly {
    readonly path: string;
    readonly digest: Digest;
    readonly action?: ActionName;
  }[];
  /** Members whose results are equal to this one. */
  readonly builders: readonly PeerId[];
  readonly byproducts: readonly { readonly name: string; readonly digest: Digest }[];
  /** The epoch it came with; absent where it was not released. */
  readonly release?: { readonly channel: string; readonly epoch: number };
  /** The version of the program that says this. */
  readonly version: string;
}

export const payloadType = "application/vnd.in-toto+json";
const buildType = "urn:swarmd:action:1";

/** How a node of a swarm is called outside of it. */
const nodeUri = (swarm: SwarmId, peer: PeerId): string => `urn:swarmd:${swarm}:${peer}`;

/** The statement as JSON text: the same bytes for the same facts. */
export function statementText(facts: ProvenanceFacts): string {
  const { swarm, artifact, servedAs = [], build, spec, action, byproducts, release, version } = facts;
  const builders = [...facts.builders].sort(byText);
  const sha256 = (digest: Digest) => ({ sha256: hashOf(digest) });
  const inputs = [...facts.inputs].sort((a, b) => byText(a.path, b.path) || byText(a.digest, b.digest));
  return JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject: [artifact, ...servedAs].map(({ path, digest }) => ({ name: path, digest: sha256(digest) })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: {
          spec: spec.name,
          graph: sha256(spec.graph),
          action: action.name,
          command: action.argv,
          environment: sorted(action.env),
          ...(action.target !== undefined && { target: action.target }),
        },
        internalParameters: {
          swarm,
          submittedBy: nodeUri(swarm, spec.submittedBy),
          actionKey: sha256(action.key),
          toolchains: sorted(action.toolchains),
          ...(release && { release: { channel: release.channel, epoch: release.epoch } }),
        },
        resolvedDependencies: inputs.map(({ path, digest, action: from }) => ({
          name: path,
          digest: sha256(digest),
          ...(from !== undefined && { annotations: { action: from } }),
        })),
      },
      runDetails: {
        builder: {
          id: builders[0] === undefined ? `urn:swarmd:${swarm}` : nodeUri(swarm, builders[0]),
          version: { swarmd: version },
          ...(builders.length > 1 && {
            builderDependencies: builders.slice(1).map((peer) => ({ uri: nodeUri(swarm, peer) })),
          }),
        },
        metadata: {
          invocationId: `${build}/${action.name}`,
          startedOn: new Date(spec.atMs).toISOString(),
        },
        byproducts: byproducts.map(({ name, digest }) => ({ name, digest: sha256(digest) })),
      },
    },
  });
}

const sorted = (record: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => byText(a, b)));

/** What DSSE v1 signs: the payload and its type, each with its length in front. */
export function preAuthentication(payload: Uint8Array): Uint8Array {
  const front = new TextEncoder().encode(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `);
  const bytes = new Uint8Array(front.length + payload.length);
  bytes.set(front);
  bytes.set(payload, front.length);
  return bytes;
}
