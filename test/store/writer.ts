/** A process that writes entries one after another and says which were answered, until it is killed. */
import { openEventStore } from "../../node/store/events.ts";
import { entryAt } from "../contract/chain.ts";

const store = await openEventStore(process.argv[2]!);
function next(seq: number) {
  store.write({ entries: [entryAt(seq)], updates: [], dropped: [], durable: false }, (error) => {
    if (error) throw new Error(error.message);
    process.stdout.write(`${seq}\n`);
    next(seq + 1);
  });
}
next(0);
