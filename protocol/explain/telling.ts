/** Events in words: one line of what was said, for people. */
import type { ClaimId, PeerId } from "../kernel/ids.ts";
import type { Event } from "../timeline/events.ts";

export interface Names {
  node(peer: PeerId): string;
  /** The action of a claim and its holder, where the claim is known. */
  claim(id: ClaimId): { readonly action: string; readonly holder: PeerId } | undefined;
}

export interface Told {
  /** The action it is about. */
  readonly action?: string;
  readonly text: string;
}

const because = (reason: string | undefined) => (reason ? `: ${reason}` : "");
const some = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** What an event says. An author's name is not in it: it stands beside it. */
export function told(event: Event, names: Names): Told {
  const about = (id: ClaimId, words: (action: string) => string): Told => {
    const action = names.claim(id)?.action;
    return { ...(action === undefined ? {} : { action }), text: words(action ?? `claim ${id.slice(-12)}`) };
  };
  switch (event.kind) {
    case "node.up":
      return { text: `${event.name} started, version ${event.version}, ${some(event.slots, "slot")}` };
    case "node.down":
      return { text: `stops${because(event.reason)}` };
    case "node.control":
      return { text: `${event.op} ${names.node(event.peer)}${because(event.reason)}` };
    case "node.grounded":
      return {
        text: `${names.node(event.peer)} is grounded for ${Math.round(event.forMs / 1000)} s after ${some(event.failures, "failure")} of its own`,
      };
    case "fork":
      return { text: "a member told two stories at one place of its chain" };
    case "swarm.founded":
      return { text: `swarm ${event.name} is founded, its first admin ${event.adminName}` };
    case "member.admitted":
      return { text: `${event.name} is admitted as ${event.roles.join(", ")}` };
    case "member.role":
      return { text: `${names.node(event.peer)} is ${event.roles.join(", ")}${because(event.reason)}` };
    case "member.revoked":
      return { text: `${names.node(event.peer)} is revoked${because(event.reason)}` };
    case "member.tainted":
      return {
        text: `what ${names.node(event.peer)} made since ${new Date(event.sinceMs).toISOString()} counts no more${because(event.reason)}`,
      };
    case "member.renewed":
      return { text: `${names.node(event.peer)} is renewed` };
    case "member.renamed":
      return { text: `${names.node(event.peer)} is called ${event.name}` };
    case "member.left":
      return { text: `leaves for good${because(event.reason)}` };
    case "member.rotated":
      return { text: `goes on under another key, ${event.peer.slice(-8)}` };
    case "join.denied":
      return { text: `${event.name} is not let in${because(event.reason)}` };
    case "ticket.issued":
      return { text: `ticket ${event.ticket} for ${event.roles.join(", ")}` };
    case "build.submitted":
      return {
        text: `${event.name} is submitted: ${some(event.actions, "action")}, priority ${event.priority}${event.fresh ? ", everything runs" : ""}`,
      };
    case "claim": {
      const { action, holder, attempt, why, twin } = event;
      const score = why ? `, score ${why.score.toFixed(2)} among ${some(why.seen, "node")}` : "";
      return {
        action,
        text: `${action} goes to ${names.node(holder)}${twin ? " as a twin" : ""}, attempt ${attempt}${score}`,
      };
    }
    case "start":
      return about(event.claim, (action) => `${action} begins`);
    case "done":
      return about(
        event.claim,
        (action) => `${action} is done${event.usage ? ` in ${Math.round(event.usage.wallMs)} ms` : ""}`,
      );
    case "cached":
      return {
        action: event.action,
        text: `${event.action} is known already; ${names.node(event.from)} has it`,
      };
    case "fail":
      return about(event.claim, (action) => `${action} failed (${event.cause}): ${event.reason}`);
    case "abandon":
      return about(event.claim, (action) => `${action} is given back: ${event.reason}`);
    case "expire":
      return about(event.claim, (action) => `${action} is taken back: ${event.reason}`);
    case "lost":
      return {
        action: event.action,
        text: `${event.action}: its bytes are gone, it runs again: ${event.reason}`,
      };
    case "control":
      return { text: `${event.op}${because(event.reason)}` };
    case "forgive":
      return {
        action: event.action,
        text: `failures of ${event.action} are forgiven${because(event.reason)}`,
      };
    case "recall":
      return {
        text: `${some(event.claims.length, "action")} ${event.claims.length === 1 ? "is" : "are"} called back${event.running ? ", also what runs" : ""}${because(event.reason)}`,
      };
    case "step": {
      const first = event.actions[0]![0];
      const more = event.actions.length - 1;
      return {
        action: first,
        text: `${first}${more > 0 ? ` and ${some(more, "other")}` : ""} may run: a step${because(event.reason)}`,
      };
    }
    case "breakpoint": {
      const what =
        event.action === undefined ? "the breakpoint on failure" : `the breakpoint on ${event.action}`;
      return {
        ...(event.action === undefined ? {} : { action: event.action }),
        text: `${what} is ${event.op === "set" ? "set" : "cleared"}${because(event.reason)}`,
      };
    }
    case "place":
      return {
        action: event.action,
        text:
          event.peer === undefined
            ? `${event.action} may run wherever it suits${because(event.reason)}`
            : `${event.action} is to run on ${names.node(event.peer)}, a person's choice${because(event.reason)}`,
      };
    case "preview":
      return {
        text: `next would be ${event.choices.length === 0 ? "nothing" : event.choices.map(({ action, peer }) => `${action} on ${names.node(peer)}`).join(", ")}${because(event.reason)}`.slice(
          0,
          2000,
        ),
      };
    case "sealed":
      return { text: `the build is ${event.state} after ${(event.wallMs / 1000).toFixed(1)} s` };
    case "view":
      return {
        text: `view ${event.digest}: ${some(event.nodes.length + (event.rest?.nodes ?? 0), "node")}`,
      };
    case "mirror.offered":
      return { text: `serves releases${event.votes ? " and votes" : ""}` };
    case "mirror.withdrawn":
      return { text: `serves no releases any more${because(event.reason)}` };
    case "release.staged":
      return { text: `${event.build} waits in ${event.channel}: ${some(event.items, "file")}` };
    case "release.dropped":
      return { text: `${event.build} is not to be released in ${event.channel}: ${event.reason}` };
    case "release.disputed":
      return {
        text: `${event.build} waits in ${event.channel}, and ${event.check} came to something else in ${some(event.actions.length, "action")}: ${event.actions.map(({ action }) => action).join(", ")}`,
      };
    case "release.pinned":
      return {
        text:
          event.epoch === undefined
            ? `${event.channel} goes on${because(event.reason)}`
            : `${event.channel} stays on epoch ${event.epoch}${because(event.reason)}`,
      };
    case "release.prepared":
      return { text: `${event.channel} ${event.epoch}: takes ballot ${event.round}` };
    case "release.promised":
      return { text: `${event.channel} ${event.epoch}: promises ballot ${event.ballot.round}` };
    case "release.proposed":
      return { text: `${event.channel} ${event.epoch}: proposes in ballot ${event.round}` };
    case "release.accepted":
      return { text: `${event.channel} ${event.epoch}: votes in ballot ${event.ballot.round}` };
    case "release.declined":
      return { text: `${event.channel} ${event.epoch}: declines (${event.why}): ${event.reason}` };
    case "release.shown":
      return { text: `serves ${event.channel} ${event.epoch}` };
    case "release.lags":
      return { text: `cannot serve ${event.channel} ${event.epoch} now: ${event.reason}` };
  }
}
