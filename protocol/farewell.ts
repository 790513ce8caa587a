/** How a node ends: once nothing runs any more it says so, and that is its last word. */
import type { Ending } from "./contract.ts";
import type { Desk } from "./work/desk.ts";
import type { History } from "./work/history.ts";
import type { Holder } from "./work/holder.ts";

export class Farewell {
  private readonly desk: Desk;
  private readonly holder: Holder;
  private readonly history: History;
  private reason: string | undefined;
  private ending: Ending = "asked";
  private said = false;

  constructor(desk: Desk, holder: Holder, history: History) {
    this.desk = desk;
    this.holder = holder;
    this.history = history;
  }

  get begun(): boolean {
    return this.reason !== undefined;
  }

  /** `because` absent: for the reason that it ends for already, or a person's word. */
  begin(reason: string, because: Ending = this.ending): void {
    this.reason = reason;
    this.ending = because;
    this.desk.stopping = true;
  }

  pump(): void {
    if (this.reason === undefined || this.said || !this.holder.stopAll()) return;
    this.said = true;
    this.history.keep();
    this.desk.voice.hurry();
    this.desk.say(
      undefined,
      { kind: "node.down", reason: this.reason.slice(0, 250) },
      { urgent: true, after: [{ kind: "stopped", because: this.ending }] },
    );
  }
}
