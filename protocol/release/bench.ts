/** What the machines of releases need of the node they work for. */
import type { CoreConfig, Effect, Instant } from "../contract.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { Liveness } from "../swarm/liveness.ts";
import type { Members } from "../swarm/members.ts";
import type { Event } from "../timeline/events.ts";
import type { SayOptions } from "../voice.ts";
import type { ReleaseItem } from "./manifest.ts";

export interface Bench {
  readonly config: CoreConfig;
  readonly now: Instant;
  readonly random: Random;
  readonly members: Members;
  readonly stopping: boolean;
  say(build: undefined, event: Event, options?: SayOptions): void;
  emit(effect: Effect): void;
  /** Those likely to hold a blob, the living first, then every other living member. */
  preferred(holders: readonly PeerId[]): PeerId[];
  status(peer: PeerId): Liveness;
  /** Whether a result that counts still brings the item; undefined where its build is no longer in memory, or not all heard of what it made. */
  stands(item: ReleaseItem): boolean | undefined;
}
