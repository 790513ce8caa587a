import { multiaddr } from "@multiformats/multiaddr";
import { expect, test } from "vitest";
import { type Interfaces, nearestFirst } from "../../node/network/nearness.ts";

const on = (...cidrs: readonly string[]): Interfaces => ({
  eth0: cidrs.map((cidr) => ({
    address: cidr.split("/")[0]!,
    cidr,
    family: cidr.includes(":") ? "IPv6" : "IPv4",
    internal: false,
    mac: "",
    netmask: "",
    ...(cidr.includes(":") ? { scopeid: 0 } : {}),
  })) as NonNullable<Interfaces["eth0"]>,
});
const order = (interfaces: Interfaces, ...hosts: readonly string[]) =>
  nearestFirst(
    hosts.map((host) =>
      multiaddr(`/${/[a-z]{3}/.test(host) ? "dns" : host.includes(":") ? "ip6" : "ip4"}/${host}/tcp/4701`),
    ),
    interfaces,
  ).map((address) => address.getComponents()[0]!.value);

test("this host comes first, then its own networks, other private ones, the world, and tunnels last", () => {
  const home = on("192.168.7.5/24", "100.101.1.2/10", "2001:db8:7::5/64");
  expect(
    order(
      home,
      "100.99.1.1",
      "192.0.2.9",
      "builder.example",
      "10.1.1.1",
      "2001:db8:7::9",
      "192.168.7.9",
      "127.0.0.1",
    ),
  ).toEqual([
    "127.0.0.1",
    "2001:db8:7::9",
    "192.168.7.9",
    "10.1.1.1",
    "192.0.2.9",
    "builder.example",
    "100.99.1.1",
  ]);
  expect(order(home, "fd7a:115c:a1e0::9", "2001:db8::9", "fd00::9")).toEqual([
    "fd00::9",
    "2001:db8::9",
    "fd7a:115c:a1e0::9",
  ]);
});

test("within a rank the order stays, and what is no address of its own counts as none", () => {
  expect(order({}, "10.0.0.2", "10.0.0.1", "192.0.2.2", "192.0.2.1")).toEqual([
    "10.0.0.2",
    "10.0.0.1",
    "192.0.2.2",
    "192.0.2.1",
  ]);
  expect(order(on("10.0.0.5/0"), "192.0.2.1", "10.0.0.1")).toEqual(["10.0.0.1", "192.0.2.1"]);
});
