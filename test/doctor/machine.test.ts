import { describe, expect, test } from "vitest";
import { checkFirewall } from "../../node/doctor/firewall.ts";
import type { Probe } from "../../node/doctor/probe.ts";
import { checkTime } from "../../node/doctor/timekeeping.ts";

/** A machine on which these programs print this, and these files are there. */
const machine = (
  programs: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
  folders: Readonly<Record<string, string[]>> = {},
): Probe => ({
  read: async (file) => files[file],
  list: async (dir) => folders[dir] ?? [],
  run: async (...words) => programs[words.join(" ")],
});

const nft = (chain: object, ...rules: object[][]) =>
  machine({
    "nft -j list ruleset": JSON.stringify({
      nftables: [
        { metainfo: { version: "1.0.6" } },
        {
          chain: { family: "inet", table: "filter", name: "input", type: "filter", hook: "input", ...chain },
        },
        ...rules.map((expr) => ({ rule: { family: "inet", table: "filter", chain: "input", expr } })),
      ],
    }),
  });
const dport = (right: unknown) => ({
  match: { op: "==", left: { payload: { protocol: "tcp", field: "dport" } }, right },
});

describe("the firewall", () => {
  test("of nothing that can be seen, nothing is said", async () => {
    expect(await checkFirewall(machine({}), 4701)).toMatchObject({ level: "ok" });
    expect(await checkFirewall(machine({ "nft -j list ruleset": "what?" }), 4701)).toMatchObject({
      level: "ok",
    });
  });

  test("firewalld is told to open the port that it does not name", async () => {
    const open = {
      "firewall-cmd --state": "running\n",
      "firewall-cmd --list-ports": "4000-4700/tcp 4701/udp\n",
    };
    expect(await checkFirewall(machine(open), 4650)).toMatchObject({ level: "ok" });
    expect(await checkFirewall(machine(open), 4701)).toMatchObject({
      level: "note",
      remedy: "firewall-cmd --permanent --add-port=4701/tcp && firewall-cmd --reload",
    });
  });

  test("ufw is told so too, and where only root sees its rules that is said", async () => {
    const on = { "/etc/ufw/ufw.conf": "# ufw\nENABLED=yes\n" };
    const rules =
      "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n-A ufw-user-input -p tcp --dport 4701 -j ACCEPT\n";
    const remedy = "ufw allow 4702/tcp";
    expect(await checkFirewall(machine({}, on), 4702)).toMatchObject({
      text: expect.stringMatching(/only root/),
      remedy,
    });
    const seen = machine({}, { ...on, "/etc/ufw/user.rules": rules });
    expect(await checkFirewall(seen, 4701)).toMatchObject({ level: "ok" });
    expect(await checkFirewall(seen, 4702)).toMatchObject({ level: "note", remedy });
    expect(await checkFirewall(machine({}, { "/etc/ufw/ufw.conf": "ENABLED=no\n" }), 4702)).toMatchObject({
      level: "ok",
    });
  });

  test("nftables: a chain that drops is given the rule that is missing", async () => {
    const remedy = "nft insert rule inet filter input tcp dport 4701 accept";
    expect(await checkFirewall(nft({ policy: "accept" }), 4701)).toMatchObject({ level: "ok" });
    expect(await checkFirewall(nft({ policy: "drop" }), 4701)).toMatchObject({ level: "note", remedy });
    const last = [{ counter: {} }, { reject: { type: "icmpx" } }];
    expect(await checkFirewall(nft({ policy: "accept" }, last), 4701)).toMatchObject({
      level: "note",
      remedy,
    });
    for (const right of [4701, { set: [22, 4701] }, { range: [4000, 5000] }])
      expect(
        await checkFirewall(nft({ policy: "drop" }, [dport(right), { accept: null }]), 4701),
      ).toMatchObject({ level: "ok" });
    expect(await checkFirewall(nft({ policy: "drop" }, [dport(22), { accept: null }]), 4701)).toMatchObject({
      level: "note",
    });
  });
});

describe("the clock", () => {
  const level = async (probe: Probe, at: string) =>
    (await checkTime(probe, Date.parse(at))).map((finding) => finding.level);
  const kept = machine({
    "timedatectl show --property=NTP --property=NTPSynchronized": "NTP=yes\nNTPSynchronized=yes\n",
  });

  test("1970 and 2038 are no times at which this runs", async () => {
    expect(await level(kept, "1970-01-01T00:03:00Z")).toEqual(["bad", "ok"]);
    expect(await level(kept, "2038-01-19T03:14:07Z")).toEqual(["bad", "ok"]);
    expect(await level(kept, "2027-05-05T12:00:00Z")).toEqual(["ok", "ok"]);
  });

  test("where nothing keeps it right the remedy is one that is there", async () => {
    const off = machine({
      "timedatectl show --property=NTP --property=NTPSynchronized": "NTP=no\nNTPSynchronized=no\n",
    });
    expect((await checkTime(off, Date.parse("2027-01-01")))[1]).toMatchObject({
      level: "note",
      remedy: "timedatectl set-ntp true",
    });
    expect((await checkTime(machine({}), Date.parse("2027-01-01")))[1]).toMatchObject({
      level: "note",
      remedy: expect.stringMatching(/chrony/),
    });
    const chrony = machine({}, { "/proc/7/comm": "chronyd\n" }, { "/proc": ["7", "self"] });
    expect((await checkTime(chrony, Date.parse("2027-01-01")))[1]).toMatchObject({
      level: "ok",
      text: expect.stringMatching(/chronyd/),
    });
  });
});
