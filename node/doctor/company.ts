/** What shows only in company: whether others reach this node, whose clock and version differs, what they offer each other. */
import type { Core } from "../../protocol/core.ts";
import { byText, type PeerId } from "../../protocol/kernel/ids.ts";
import type { Finding } from "../control/api.ts";
import type { Mesh, Try } from "../ports.ts";
import type { Queries } from "../queries.ts";

/** Clocks that differ by less agree, the way between them included. */
const agreeMsMax = 2_000;
const wrongMsMin = 30_000;
/** So many members are asked to dial back, and at so many addresses. */
const diallersMax = 3;
const addressesMax = 8;

/** Clocks as the last beats told them; the middle one is held right. */
export function checkClocks(core: Core, queries: Pick<Queries, "nameOf">): Finding[] {
  const { desk } = core;
  const ahead = desk.members
    .all()
    .flatMap(({ peer }) => {
      const ms = peer === desk.config.self ? undefined : desk.peers.clockReadMs(peer);
      return ms === undefined || desk.status(peer) !== "alive" ? [] : [{ name: queries.nameOf(peer), ms }];
    })
    .sort((a, b) => a.ms - b.ms || byText(a.name, b.name));
  const check = "clocks";
  if (ahead.length === 0) return [{ check, level: "ok", text: "no other member's clock is heard" }];
  const off = ahead.filter(({ ms }) => Math.abs(ms) >= wrongMsMin);
  if (off.length === 0) {
    const most = Math.max(...ahead.map(({ ms }) => Math.abs(ms)));
    const text = most < agreeMsMax ? "agree" : `differ by up to ${secondsText(most)}`;
    return [{ check, level: "ok", text: `those of ${ahead.length + 1} members ${text}` }];
  }
  const remedy = "timedatectl set-ntp true, on the machine that is wrong";
  const middle = ahead[Math.floor(ahead.length / 2)]!;
  const agreeing = ahead.filter(({ ms }) => Math.abs(ms - middle.ms) < wrongMsMin);
  if (off.length === ahead.length && agreeing.length > 1)
    return [
      {
        check,
        level: "bad",
        text: `this one is ${differenceText(-middle.ms)} ${agreeing.length} others, which agree: ${agreeing.map((a) => a.name).join(", ")}`,
        remedy: "timedatectl set-ntp true",
      },
    ];
  return off.map(({ name, ms }) => ({
    check,
    level: "bad",
    text: `that of ${name} is ${differenceText(ms)} this one`,
    remedy,
  }));
}

/** So few may come of a version that differs, or of a connection that broke. */
const misdeedsMin = 10;
const misdeedsShown = 3;

/** What others said that could not be true, or was not theirs to say; `tally`: most first. */
export function checkMisdeeds(
  tally: readonly { readonly peer: string; readonly count: number }[],
  queries: Pick<Queries, "nameOf">,
): Finding[] {
  return tally
    .filter(({ count }) => count >= misdeedsMin)
    .slice(0, misdeedsShown)
    .map(({ peer, count }) => {
      const name = queries.nameOf(peer as PeerId);
      return {
        check: "messages",
        level: "note",
        text: `${count} of ${name} were refused since this daemon started`,
        remedy: `why: the log of this node, where it says refused; if it lies: swarmd member revoke ${name}`,
      };
    });
}

const differenceText = (ms: number): string =>
  `${secondsText(Math.abs(ms))} ${ms < 0 ? "behind" : "ahead of"}`;

function secondsText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** Has some members dial what this node announces; one that reaches it is enough for each. */
export async function checkAnnounced(
  announced: readonly string[],
  mesh: Pick<Mesh, "connected" | "inquire">,
  queries: Pick<Queries, "nameOf">,
): Promise<Finding[]> {
  const addresses = announced.map(withoutPeer).slice(0, addressesMax);
  const peers = mesh.connected().slice(0, diallersMax);
  if (addresses.length === 0 || peers.length === 0) return [];
  const asked = await askToDial(peers, addresses, mesh, queries);
  return addresses.map((address): Finding => {
    const check = "announced";
    const tried = asked.flatMap(({ name, tries }) => {
      const one = tries.find((t) => t.address === address);
      return one ? [{ name, ...one }] : [];
    });
    const good = tried.find(({ latencyMs }) => latencyMs !== undefined);
    if (good) return { check, level: "ok", text: `${good.name} reaches ${address}` };
    const why = tried.map((one) => `${one.name}: ${one.why}`).join("; ");
    return {
      check,
      level: "note",
      text: `nobody that was asked reaches ${address} (${why || "no answer"})`,
      remedy: "open that port, or announce another address: swarmd run --announce HOST:4701",
    };
  });
}

/** Who runs another version. */
export function checkVersions(queries: Pick<Queries, "nodes">): Finding {
  const check = "versions";
  const nodes = queries.nodes();
  const own = nodes.find(({ state }) => state === "self")?.version;
  const others = nodes.filter(({ version }) => version !== undefined && version !== own);
  if (own === undefined || others.length === 0)
    return { check, level: "ok", text: own === undefined ? "not known yet" : `all run ${own}` };
  return {
    check,
    level: "note",
    text: `this node runs ${own}, ${others.map(({ name, version }) => `${name} ${version}`).join(", ")}`,
    remedy: "bring all to the newest: install it there, then restart the daemon",
  };
}

/** Has some members dial this node at its own addresses. */
export async function checkReach(
  mesh: Pick<Mesh, "addresses" | "connected" | "inquire">,
  queries: Pick<Queries, "nameOf">,
  firewall: Finding | undefined,
): Promise<Finding> {
  const check = "dialled back";
  const peers = mesh.connected().slice(0, diallersMax);
  const addresses = mesh.addresses().map(withoutPeer).slice(0, addressesMax);
  if (addresses.length === 0)
    return {
      check,
      level: "note",
      text: "this node listens nowhere: it works by what it dials itself",
      remedy: "swarmd run --listen 0.0.0.0:4701",
    };
  if (peers.length === 0) return { check, level: "ok", text: "no other member is connected, to try it" };
  const asked = await askToDial(peers, addresses, mesh, queries);
  const good = asked.flatMap(({ name, tries }) => {
    const open = tries.find(({ latencyMs }) => latencyMs !== undefined);
    return open ? [`${name} at ${open.address}`] : [];
  });
  if (good.length > 0) return { check, level: "ok", text: good.join(", ") };
  const tried = asked.flatMap(({ name, tries }) =>
    tries.slice(0, 2).map((t) => `${name} at ${t.address}: ${t.why}`),
  );
  if (tried.length === 0)
    return { check, level: "note", text: "no member answered the question", remedy: `swarmd node reach` };
  return {
    check,
    level: "note",
    text: `nobody reaches this node by dialling it: it works by what it dials itself, and with another such node through a third (${tried.slice(0, 3).join("; ")})`,
    remedy:
      firewall && firewall.level !== "ok"
        ? firewall.remedy
        : "open the port on the router, or tell an address that others reach: swarmd run --announce HOST:4701",
  };
}

const withoutPeer = (address: string): string => address.replace(/\/p2p\/[^/]+$/, "");

/** What each of these members says of dialling these addresses; nothing where it does not answer. */
const askToDial = (
  peers: readonly PeerId[],
  addresses: readonly string[],
  mesh: Pick<Mesh, "inquire">,
  queries: Pick<Queries, "nameOf">,
): Promise<{ readonly name: string; readonly tries: readonly Try[] }[]> =>
  Promise.all(
    peers.map(async (peer) => {
      const tries = await mesh
        .inquire(peer, { kind: "dial", addresses })
        .then(({ answer }) => answer.tries)
        .catch((): readonly Try[] => []);
      return { name: queries.nameOf(peer), tries };
    }),
  );
