/** What people do about members while a swarm works: somebody comes who asks, is let in, gets other roles, is revoked, goes. */
import type { MemberOperation } from "../protocol/contract.ts";
import { encodeAdmission, readAdmission } from "../protocol/swarm/admission.ts";
import type { Host } from "./host.ts";
import type { Swarm } from "./swarm.ts";

/** How often one who waits asks again, and how often a person who was not heard says it again. */
const againMs = 2_000;

/** What lets things happen later, as long as somebody still wants them. */
type After = (ms: number, run: () => void) => void;

/** An admin says something of a member, the first that takes it: until then it is said again and again. */
export function govern(swarm: Swarm, operation: MemberOperation, after: After): void {
  const target = "peer" in operation ? operation.peer : undefined;
  const say = (): void => {
    const admin = swarm.hosts.find((h) => h.active && h.peer !== target && mayGovern(h));
    if (!admin) return after(againMs, say);
    admin.command({ kind: "member", operation }, (reply) => {
      swarm.world.record(admin.name, "governs", `${operation.op} ${reply.ok ? "ok" : reply.code}`);
      if (!reply.ok && reply.code === "refused") after(againMs, say);
    });
  };
  say();
}

/** A host that is no member asks at one door after another, as `swarmd join` does, and starts once somebody let it in. */
export function ask(swarm: Swarm, host: Host, after: After): void {
  const { world, network } = swarm;
  const source = { name: host.name, roles: ["builder", "submitter"] } as const;
  const ring = (): void => {
    if (host.up) return;
    after(againMs, ring);
    const door = swarm.hosts.find((h) => h !== host && h.active && network.approaches(host.place, h.place));
    if (!door) return;
    const { wallMs } = host.clock.now();
    const request = encodeAdmission({ kind: "ask", ...source, wallMs });
    door.knock(host.peer, request, (bytes) => {
      const reply = bytes && readAdmission(bytes);
      world.record(host.name, "asks", `${door.name} ${reply?.kind ?? "nobody"}`);
      if (reply?.kind === "pending") approve(swarm, host);
      if (reply?.kind !== "present" || host.up) return;
      host.disk.prepare(reply.certificates);
      host.start();
    });
  };
  ring();
}

/** An admin that has heard of the request lets it in. */
function approve(swarm: Swarm, { peer }: Host): void {
  const admin = swarm.hosts.find(
    (h) => h.active && mayGovern(h) && h.core.door.requests.all().some((r) => r.peer === peer),
  );
  admin?.command({ kind: "member", operation: { op: "approve", peer } }, () => {});
}

const mayGovern = ({ core: { desk }, peer }: Host): boolean => desk.members.has(peer, "admin");
