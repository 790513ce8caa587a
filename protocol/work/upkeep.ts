/** What keeps a node's memory of ended builds and of the timeline whole: what was missed, what was damaged, what has been kept long enough. */
import type { CommandReply } from "../contract.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Staging } from "../release/staging.ts";
import type { Message } from "../swarm/message.ts";
import type { Borrower } from "./borrower.ts";
import type { Desk } from "./desk.ts";
import { Mender } from "./mender.ts";
import { Retention } from "./retention.ts";

/** What a person hears of a node whose disk takes nothing. */
export const cannotWrite = {
  ok: false,
  code: "refused",
  message: "this node cannot write to its disk, so nothing it says would last",
  remedy: "see the daemon's log for the reason; mostly the disk is full: free some space",
} as const satisfies CommandReply;

export class Upkeep {
  readonly mender: Mender;
  readonly retention: Retention;
  private readonly borrower: Borrower;

  constructor(desk: Desk, borrower: Borrower, staging: Pick<Staging, "names">) {
    this.mender = new Mender(desk);
    this.retention = new Retention(desk, staging);
    this.borrower = borrower;
  }

  hears(from: PeerId, message: Extract<Message, { kind: "archive" | "want" | "lack" }>): void {
    if (message.kind === "archive") this.borrower.listed(from, message);
    else if (message.kind === "want") this.borrower.lend(from, message.build);
    else this.mender.lend(from, message);
  }

  tick(): void {
    this.borrower.tick();
    this.mender.tick();
    this.retention.tick();
  }

  deadline(): number {
    return Math.min(this.borrower.deadline(), this.mender.deadline(), this.retention.deadline());
  }
}
