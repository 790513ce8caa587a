/** What the log of messages costs, against the least that a node does with a message of one entry: encode it, decode it, verify its signature. */
import { createSigner } from "../../node/signer.ts";
import { WireLog } from "../../node/wire-log.ts";
import type { Network } from "../../protocol/ports.ts";
import type { Message } from "../../protocol/swarm/message.ts";
import { plainWire } from "../../protocol/wire.ts";
import { Author } from "../work/facts.ts";

const rounds = 7;
const messages = 5_000;
/** The log is so quick that it must be asked often to be seen. */
const times = 20;

const silent: Network = { send: () => true, gossip: () => {} };

/** Of the processor time that messages take, the share that the log takes: median of its rounds. */
export function logShare(): number {
  const signer = createSigner(new Uint8Array(32).fill(3));
  const author = new Author("ann");
  const said = Array.from({ length: messages }, (_, seq) => {
    const entry = author.sayAt(seq, { kind: "start", claim: `c${seq}` as never });
    const message: Message = { kind: "entries", entries: [entry] };
    return { message, entry, sig: signer.sign(entry.id), bytes: plainWire().encodeMessage(message) };
  });
  const shares = Array.from({ length: rounds }, () => {
    const wire = plainWire();
    const work = cpuMs(() => {
      for (const { message, entry, sig } of said) {
        wire.readMessage(wire.encodeMessage(message));
        signer.verify(signer.self, entry.id, sig);
      }
    });
    const log = new WireLog();
    let next = new Uint8Array() as Uint8Array;
    const noted = log.wire({ ...wire, encodeMessage: () => next });
    const network = log.network(silent);
    const logged = cpuMs(() => {
      for (let time = 0; time < times; time++)
        for (const { message, bytes } of said) {
          next = bytes;
          network.send(signer.self, noted.encodeMessage(message));
        }
    });
    return logged / times / work;
  });
  return shares.sort((a, b) => a - b)[rounds >> 1]!;
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
