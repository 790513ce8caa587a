/** A channel with two epochs and something staged, as the dashboard reads it. */
import type { ReleasesView } from "../../node/control/publishing.ts";
import type { BuildId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Manifest } from "../../protocol/release/manifest.ts";
import { blob } from "../work/facts.ts";

const build = "demo-5feceb66ff" as BuildId;
const peer = "alpha" as PeerId;

const epoch = (number: number) => ({
  epoch: number,
  atMs: Date.UTC(2030, 0, number),
  manifest: blob(`manifest ${number}`),
  value: `${number}`,
  by: "alpha",
  round: 1,
  votes: [{ node: "alpha", entry: "e" }],
  voters: ["alpha"],
  nextVoters: ["alpha"],
  shownBy: ["alpha"],
});

export const released: ReleasesView = {
  channels: [
    {
      channel: "testing",
      current: 2,
      voters: [{ node: "alpha", peerId: peer, state: "self" }],
      atRisk: "with one voter less nothing can be released",
      hindered: null,
      pinned: { by: "ann", reason: "a freeze" },
      epochs: [epoch(1), epoch(2)],
      conflicts: [],
      staged: [
        {
          build,
          items: 2,
          bytes: 20,
          stagedBy: "beta",
          paths: ["a.deb", "b.deb"],
          missingHere: 0,
          missingBytes: 0,
        },
      ],
    },
  ],
  mirrors: [
    {
      node: "alpha",
      peerId: peer,
      state: "self",
      votes: true,
      shows: [{ channel: "testing", epoch: 2, of: 2 }],
    },
  ],
};

/** `kept` is in both, `other` changes, `gone` goes with the second and `fresh` comes. */
export function releasedManifest(number: number): Manifest {
  const item = (path: string, digest: Digest) => ({
    path,
    digest,
    executable: true as const,
    build,
    action: "link" as never,
  });
  return {
    v: 1,
    swarm: "5".repeat(64) as never,
    channel: "testing",
    epoch: number,
    parent: null,
    atMs: Date.UTC(2030, 0, number),
    format: "files",
    items: [
      item("kept", blob("kept")),
      item("other", blob(`other ${number}`)),
      number === 1 ? item("gone", blob("gone")) : item("fresh", blob("fresh")),
    ],
    builds: [build],
    ...(number === 2
      ? { risk: { score: 8, parts: [{ kind: "size-jump", points: 8, count: 2 }] }, reason: "it is right" }
      : {}),
  };
}
