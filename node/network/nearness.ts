/** Which of an address's networks this machine is on: the LAN comes before everything else, a tunnel after it. */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import type { Multiaddr } from "@multiformats/multiaddr";
import { isLoopback } from "./peer-book.ts";

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

const lan = new BlockList();
for (const [net, bits] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const)
  lan.addSubnet(net, bits, "ipv4");
lan.addSubnet("fc00::", 7, "ipv6");

/** Addresses that Tailscale and its like give out: they lead everywhere, and around. */
const tunnels = new BlockList();
tunnels.addSubnet("100.64.0.0", 10, "ipv4");
tunnels.addSubnet("fd7a:115c:a1e0::", 48, "ipv6");

const within = (list: BlockList, host: string): boolean =>
  isIPv4(host) ? list.check(host, "ipv4") : isIPv6(host) && list.check(host, "ipv6");

/** This host, a network it is on, other private ones, the world, tunnels; within each as given. */
export function nearestFirst(addresses: readonly Multiaddr[], interfaces: Interfaces): Multiaddr[] {
  const own = new BlockList();
  for (const { address, cidr, family, internal } of Object.values(interfaces).flatMap((list) => list ?? [])) {
    const bits = Number(cidr?.split("/")[1]);
    if (!internal && bits > 0 && !within(tunnels, address))
      own.addSubnet(address, bits, family === "IPv4" ? "ipv4" : "ipv6");
  }
  const rank = (address: Multiaddr): number => {
    if (isLoopback(address)) return 0;
    const host = address.getComponents()[0]?.value ?? "";
    if (within(tunnels, host)) return 4;
    if (within(own, host)) return 1;
    return within(lan, host) ? 2 : 3;
  };
  return addresses.toSorted((a, b) => rank(a) - rank(b));
}
