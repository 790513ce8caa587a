/** Whether a firewall of this machine lets others in at the daemon's port, and the line that would. */
import type { Finding } from "../control/api.ts";
import type { Probe } from "./probe.ts";

const check = "firewall";

/** Looks at firewalld, ufw and nftables in that order: the first two write the rules of the third. */
export async function checkFirewall(probe: Probe, port: number): Promise<Finding> {
  return (
    (await firewalld(probe, port)) ??
    (await ufw(probe, port)) ??
    (await nftables(probe, port)) ?? { check, level: "ok", text: "none that this user can see" }
  );
}

async function firewalld(probe: Probe, port: number): Promise<Finding | undefined> {
  if ((await probe.run("firewall-cmd", "--state"))?.trim() !== "running") return undefined;
  const open = (await probe.run("firewall-cmd", "--list-ports")) ?? "";
  const lets = open.split(/\s+/).some((item) => {
    const [, from, to = from] = /^([0-9]+)(?:-([0-9]+))?\/tcp$/.exec(item) ?? [];
    return from !== undefined && Number(from) <= port && port <= Number(to);
  });
  return verdict(
    "firewalld",
    lets,
    port,
    `firewall-cmd --permanent --add-port=${port}/tcp && firewall-cmd --reload`,
  );
}

async function ufw(probe: Probe, port: number): Promise<Finding | undefined> {
  const config = await probe.read("/etc/ufw/ufw.conf");
  if (!config || !/^ENABLED=yes/im.test(config)) return undefined;
  const line = `ufw allow ${port}/tcp`;
  const rules = await probe.read("/etc/ufw/user.rules");
  if (rules === undefined)
    return {
      check,
      level: "note",
      text: `ufw is on, and only root sees whether it lets others in at port ${port}`,
      remedy: line,
    };
  const lets = rules
    .split("\n")
    .some(
      (rule) =>
        /^-A .*-j ACCEPT\s*$/.test(rule) && new RegExp(`--dports? (\\S+,)?${port}(,|\\s|$)`).test(rule),
    );
  return verdict("ufw", lets, port, line);
}

/** A rule or a chain as `nft -j` prints it; much else is passed over. */
interface NftItem {
  readonly chain?: {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly type?: string;
    readonly hook?: string;
    readonly policy?: string;
  };
  readonly rule?: {
    readonly family: string;
    readonly table: string;
    readonly chain: string;
    readonly expr: readonly Readonly<Record<string, unknown>>[];
  };
}

async function nftables(probe: Probe, port: number): Promise<Finding | undefined> {
  const items = itemsOf(await probe.run("nft", "-j", "list", "ruleset"));
  const gates = items.flatMap(({ chain }) =>
    chain?.hook === "input" && chain.type === "filter" ? [chain] : [],
  );
  if (gates.length === 0) return undefined;
  for (const { family, table, name, policy } of gates) {
    const rules = items.flatMap(({ rule }) =>
      rule?.chain === name && rule.table === table && rule.family === family ? [rule.expr] : [],
    );
    const bars =
      policy === "drop" ||
      rules.some((expr) => expr.length <= 2 && expr.some((e) => "drop" in e || "reject" in e));
    if (bars && !rules.some((expr) => expr.some((e) => "accept" in e) && namesPort(expr, port)))
      return verdict(
        "nftables",
        false,
        port,
        `nft insert rule ${family} ${table} ${name} tcp dport ${port} accept`,
      );
  }
  return verdict("nftables", true, port, "");
}

function itemsOf(text: string | undefined): NftItem[] {
  try {
    const { nftables: items } = JSON.parse(text ?? "") as { nftables?: unknown };
    return Array.isArray(items) ? items : [];
  } catch {
    return [];
  }
}

/** `tcp dport 4701`, `{ 22, 4701 }` or `4000-5000`, as nft writes it. */
function namesPort(expr: readonly Readonly<Record<string, unknown>>[], port: number): boolean {
  const holds = (right: unknown): boolean => {
    if (right === port) return true;
    if (typeof right !== "object" || right === null) return false;
    const { set, range } = right as { set?: unknown; range?: unknown };
    if (Array.isArray(set)) return set.some(holds);
    return Array.isArray(range) && Number(range[0]) <= port && port <= Number(range[1]);
  };
  return expr.some(({ match }) => {
    const { left, right } = (match ?? {}) as { left?: { payload?: { field?: string } }; right?: unknown };
    return left?.payload?.field === "dport" && holds(right);
  });
}

function verdict(name: string, lets: boolean, port: number, line: string): Finding {
  return lets
    ? { check, level: "ok", text: `${name} lets others in at port ${port}` }
    : {
        check,
        level: "note",
        text: `${name} keeps others out at port ${port}: only what this node dials itself reaches it`,
        remedy: line,
      };
}
