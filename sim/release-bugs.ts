/** Bugs to plant into what makes releases: the ways in which such protocols are got wrong, each with the invariant that must be seen to break. */
import type { PublishStep } from "../protocol/contract.ts";
import type { Core } from "../protocol/core.ts";
import { type Ballot, nameOfProposal, type Voter } from "../protocol/release/ballot.ts";
import type { Epochs } from "../protocol/release/epochs.ts";
import type { EventOf } from "../protocol/timeline/events.ts";
import type { Bug } from "./bugs.ts";
import { releaseMixOf, unheardMix } from "./release-mix.ts";

type Insides = Record<string, (...args: never[]) => unknown>;
const inside = (part: unknown): Insides => part as Insides;

/** Patches the core of every host at each of its starts. */
function everyCore(patch: (core: Core) => void): Bug["plant"] {
  return (swarm) => {
    for (const host of swarm.hosts) {
      const bend = host.bend.bind(host);
      host.bend = (bent) =>
        bend({
          ...bent,
          honest: bent?.honest ?? true,
          runtime: (of, runtime, process) => {
            patch(runtime.core);
            bent?.runtime?.(of, runtime, process);
          },
        });
      host.bend(undefined);
    }
    return () => {};
  };
}

/** Patches the fold of every channel of every host. */
const everyFold = (patch: (epochs: Epochs, core: Core) => void): Bug["plant"] =>
  everyCore((core) => {
    const releases = inside(core.releases);
    const open = releases.open!.bind(core.releases);
    const patched = new Set<Epochs>();
    releases.open = (...args) => {
      const epochs = open(...args) as Epochs | undefined;
      if (!epochs || patched.has(epochs)) return epochs;
      patched.add(epochs);
      patch(epochs, core);
      return epochs;
    };
  });

/** Who votes is answered by another rule. */
const otherVoters = (
  rule: (core: Core, voters: readonly Voter[], epoch: number) => readonly Voter[],
): Bug["plant"] =>
  everyFold((epochs, core) => {
    const voters = epochs.voters.bind(epochs);
    epochs.voters = (epoch) => {
      const plain = voters(epoch);
      return plain && rule(core, plain, epoch);
    };
  });

export const releaseBugs: readonly Bug[] = [
  {
    name: "what voters accepted before is not looked at",
    breaks: "one release per epoch",
    mix: (seed) => unheardMix(seed),
    plant: everyFold((epochs) => {
      const promises = epochs.promises.bind(epochs);
      epochs.promises = (...args) => promises(...args).map(({ accepted: _, ...promise }) => promise);
    }),
  },
  {
    name: "a ballot is used again",
    breaks: "one release per epoch",
    mix: (seed) => unheardMix(seed),
    plant: everyFold((epochs) => {
      epochs.highestRound = () => 0;
    }),
  },
  {
    name: "a voter that lost its log votes on under its name",
    breaks: "one release per epoch",
    mix: (seed) => unheardMix(seed, true),
    plant: (swarm) => {
      for (const { disk } of swarm.hosts) inside(disk).drawLog = () => disk.voteLog;
      return () => {};
    },
  },
  {
    name: "votes are for a manifest, whatever their ballot",
    breaks: "one release per epoch",
    mix: (seed) => releaseMixOf(seed, ["cut", "flap", "swizzle", "crash"]),
    plant: everyFold((epochs) => {
      const fold = inside(epochs);
      const vote = fold.vote!.bind(epochs) as (entry: unknown, event: EventOf<"release.accepted">) => void;
      const first = new Map<string, Ballot>();
      fold.vote = ((entry: unknown, event: EventOf<"release.accepted">) => {
        const name = nameOfProposal(event.channel, event.epoch, event.proposal);
        const ballot = first.get(name) ?? event.ballot;
        first.set(name, ballot);
        vote(entry, { ...event, ballot });
      }) as never;
    }),
  },
  {
    name: "a majority of the voters that one sees",
    breaks: "one release per epoch",
    mix: (seed) => releaseMixOf(seed, ["cut", "flap", "swizzle"]),
    plant: otherVoters((core, voters) => {
      const seen = voters.filter(
        ({ peer }) => peer === core.desk.config.self || core.desk.peers.isConnected(peer),
      );
      return seen.length > 0 ? seen : voters;
    }),
  },
  {
    name: "voters are those that one knows of, not those that the release before names",
    breaks: "mirrors show whole epochs",
    mix: (seed) => releaseMixOf(seed, ["cut", "flap", "swizzle", "pause"]),
    plant: otherVoters((core, voters, epoch) => {
      const known = core.releases.mirrors
        .all()
        .filter(({ peer }) => core.desk.status(peer) === "alive" || peer === core.desk.config.self);
      return epoch > 1 && known.length > 0 ? known : voters;
    }),
  },
  {
    name: "what one knows of a build is staged for all of it",
    breaks: "staged whole",
    mix: (seed) => releaseMixOf(seed),
    plant: everyCore((core) => {
      const stager = inside(inside(core).stager);
      const itemsOf = stager.itemsOf!.bind(stager) as (...args: unknown[]) => unknown[] | undefined;
      (stager as Record<string, unknown>).itemsOf = (build: unknown) => itemsOf(build)?.slice(1);
    }),
  },
  {
    name: "an epoch is laid out where it is shown",
    breaks: "mirrors show whole epochs",
    mix: (seed) => releaseMixOf(seed),
    plant: everyCore(({ releases }) => {
      const publisher = inside(releases.publisher);
      const begin = publisher.begin!.bind(releases.publisher) as (...args: unknown[]) => void;
      (publisher as Record<string, unknown>).begin = (channel: string, of: unknown, steps: PublishStep[]) =>
        begin(
          channel,
          of,
          steps.toSorted((a, b) => Number(b.step === "switch") - Number(a.step === "switch")),
        );
    }),
  },
  {
    name: "a mirror that shows something looks no further",
    breaks: "releases go on",
    mix: (seed) => releaseMixOf(seed),
    plant: everyCore(({ releases: { publisher } }) => {
      const pump = publisher.pump.bind(publisher);
      publisher.pump = (epochs) => publisher.shown(epochs.channel) === 0 && pump(epochs);
    }),
  },
];
