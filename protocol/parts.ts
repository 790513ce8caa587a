/** The classes of which a core is made, but for the core itself: whoever saves one must be able to name them, whoever loads one to make them. */

import { Farewell } from "./farewell.ts";
import { Random } from "./kernel/random.ts";
import type { Savable } from "./kernel/snapshot.ts";
import { Epochs } from "./release/epochs.ts";
import { Finalizing } from "./release/finalizing.ts";
import { Mirrors } from "./release/mirrors.ts";
import { Papers } from "./release/papers.ts";
import { Pins } from "./release/pins.ts";
import { Publisher } from "./release/publisher.ts";
import { Releases } from "./release/releases.ts";
import { Staging } from "./release/staging.ts";
import { Stock } from "./release/stock.ts";
import { Voting } from "./release/voting.ts";
import { Door } from "./swarm/door.ts";
import { LastWords } from "./swarm/last-words.ts";
import { Peers } from "./swarm/liveness.ts";
import { Members } from "./swarm/members.ts";
import { Orders } from "./swarm/orders.ts";
import { Pace } from "./swarm/pace.ts";
import { Registrar } from "./swarm/registrar.ts";
import { Requests } from "./swarm/requests.ts";
import { Rivals } from "./swarm/rivals.ts";
import { Taints } from "./swarm/taints.ts";
import { Wakefulness } from "./swarm/wakefulness.ts";
import { Chains } from "./timeline/chain.ts";
import { Forks } from "./timeline/forks.ts";
import { IdSum } from "./timeline/sum.ts";
import { Voice } from "./voice.ts";
import { Actions } from "./work/actions.ts";
import { Allowance } from "./work/allowance.ts";
import { Archive } from "./work/archive.ts";
import { Attention } from "./work/attention.ts";
import { Borrower } from "./work/borrower.ts";
import { Build } from "./work/build.ts";
import { CatchUp } from "./work/catch-up.ts";
import { Claims } from "./work/claims.ts";
import { Copies } from "./work/copies.ts";
import { Courier } from "./work/courier.ts";
import { Desk } from "./work/desk.ts";
import { Disputer } from "./work/disputer.ts";
import { Estimates } from "./work/estimates.ts";
import { Expiry } from "./work/expiry.ts";
import { Gate } from "./work/gate.ts";
import { Granter } from "./work/granter.ts";
import { Grounding } from "./work/grounding.ts";
import { Heat } from "./work/heat.ts";
import { History } from "./work/history.ts";
import { Holder } from "./work/holder.ts";
import { Holds } from "./work/holds.ts";
import { Leaning } from "./work/leaning.ts";
import { Ledger } from "./work/ledger.ts";
import { Losses } from "./work/lost.ts";
import { Mender } from "./work/mender.ts";
import { Outlook } from "./work/outlook.ts";
import { Preparer } from "./work/preparer.ts";
import { Pulse } from "./work/pulse.ts";
import { Reasons } from "./work/reasons.ts";
import { Recent } from "./work/recent.ts";
import { Records } from "./work/records.ts";
import { Retention } from "./work/retention.ts";
import { Retirement } from "./work/retirement.ts";
import { Room } from "./work/room.ts";
import { Scheduler } from "./work/scheduler.ts";
import { Sealer } from "./work/sealer.ts";
import { Seeker } from "./work/seeker.ts";
import { Shares } from "./work/shares.ts";
import { Stager } from "./work/stager.ts";
import { Standby } from "./work/standby.ts";
import { Submissions } from "./work/submit.ts";
import { Twins } from "./work/twins.ts";
import { Upkeep } from "./work/upkeep.ts";
import { Witness } from "./work/witness.ts";

export const parts: readonly Savable[] = [
  Desk,
  Random,
  Members,
  LastWords,
  Registrar,
  Requests,
  Forks,
  Taints,
  Orders,
  Chains,
  IdSum,
  Archive,
  Borrower,
  Mender,
  Retention,
  Upkeep,
  Retirement,
  Pulse,
  Peers,
  Wakefulness,
  Rivals,
  Estimates,
  Courier,
  Recent,
  Outlook,
  Twins,
  Voice,
  Build,
  Ledger,
  Claims,
  Holds,
  Actions,
  Preparer,
  Seeker,
  Granter,
  Expiry,
  Sealer,
  Copies,
  Losses,
  Holder,
  History,
  Gate,
  Room,
  Heat,
  Standby,
  Grounding,
  Records,
  Shares,
  Leaning,
  Reasons,
  Scheduler,
  Attention,
  Submissions,
  CatchUp,
  Allowance,
  Pace,
  Witness,
  Door,
  Stager,
  Disputer,
  Releases,
  Epochs,
  Mirrors,
  Staging,
  Pins,
  Papers,
  Stock,
  Voting,
  Finalizing,
  Publisher,
  Farewell,
];
