import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commentedFile } from "../cli/commands/config.ts";
import { loadConfig, multiaddrOf, readSettings } from "../node/config.ts";
import { schedulingOf } from "../node/scheduling.ts";
import { environmentNameOf, nodeNameOf, settingKeys, settingOf, valueText } from "../node/settings.ts";
import { defaultScheduling } from "../protocol/swarm/policy.ts";

let dir: string;
let file: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-config-"));
  file = path.join(dir, "config.yaml");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const load = (env = {}, flags = {}) => loadConfig({ file, env, flags });

test("without a word the daemon listens everywhere, takes every core and finds a valid name", async () => {
  const config = await load();
  expect(config.listen).toEqual(["/ip4/0.0.0.0/tcp/4701", "/ip6/::/tcp/4701"]);
  expect(config.slots).toBeGreaterThan(0);
  expect(config.name).toBe(nodeNameOf(config.name));
  expect(config).toMatchObject({ sandbox: "auto", unsafeNoSandbox: false, logLevel: "info", mdns: true });
});

test("flags override the environment, which overrides the file", async () => {
  await writeFile(file, "slots: 1\nname: from-file\nsandbox: none\n");
  const config = await load({ SWARMD_SLOTS: "2", SWARMD_NAME: "from-environment" }, { slots: 3 });
  expect(config).toMatchObject({ slots: 3, name: "from-environment", sandbox: "none" });
});

test("each setting has its variable", async () => {
  expect(settingKeys.map(environmentNameOf)).toContain("SWARMD_UNSAFE_NO_SANDBOX");
  const env = {
    SWARMD_LISTEN: "127.0.0.1:0, /ip6/::1/tcp/0",
    SWARMD_ANNOUNCE: "build.example:4701",
    SWARMD_SLOTS: "0",
    SWARMD_MEMORY: "1.5G",
    SWARMD_NICE: "10",
    SWARMD_SMALL: "1",
    SWARMD_SUSPEND: "abandon",
    SWARMD_NAME: "ann",
    SWARMD_SANDBOX: "bubblewrap",
    SWARMD_UNSAFE_NO_SANDBOX: "true",
    SWARMD_LOG_LEVEL: "debug",
    SWARMD_DISK_PATH: "/",
    SWARMD_MDNS: "no",
    SWARMD_GATEWAY_LISTEN: "[::1]:4790",
    SWARMD_GATEWAY_HOSTS: "build.example,lab",
    SWARMD_OTLP_ENDPOINT: "http://localhost:4318",
    SWARMD_GATEWAY_TOKEN_FILE: "/etc/swarmd/token",
    SWARMD_TOOLCHAINS: "ocamlc, mycc=/opt/mycc",
    SWARMD_MODE: "weighted",
    SWARMD_WEIGHTS: "free=2,local=0.5",
    SWARMD_POLICY: "standby",
    SWARMD_LABELS: "gpu, big-memory",
    SWARMD_ARTIFACT_BYTES_MAX: "50G",
    SWARMD_DISK_FREE_BYTES_MIN: "512M",
    SWARMD_TIMELINE_KEPT_MS: "60d",
    SWARMD_LOGS_KEPT_MS: "30d",
    SWARMD_LOGS_BYTES_MAX: "2G",
    SWARMD_FENCED: "yes",
    SWARMD_TEMPERATURE_CELSIUS_MAX: "80.5",
    SWARMD_PRESSURE_PERCENT_MAX: "30",
    SWARMD_SUSTAINED_MS: "90s",
    SWARMD_GROUNDING_FAILURES: "4",
    SWARMD_GROUNDING_WINDOW_MS: "1h30m",
    SWARMD_GROUNDING_FOR_MS: "600000",
    SWARMD_STANDBY_HOLD_OFF_MS: "10s",
    SWARMD_OWNER: "yield",
    SWARMD_OWNER_IDLE_MS: "2m",
    SWARMD_OWNER_SLOTS: "1",
    SWARMD_TWIN_AFTER: "2.5",
    SWARMD_COPIES: "needed",
    SWARMD_LOG_FILE: "/var/log/swarmd.log",
    SWARMD_RECORDING_BYTES_MAX: "64M",
    SWARMD_DIAGNOSIS: "/etc/swarmd/diagnosis",
    SWARMD_BINHOST_LISTEN: "0.0.0.0:8480",
    SWARMD_BINHOST_PATH: "/srv/binpkgs",
    SWARMD_RELEASE_BUILDERS: "2",
    SWARMD_RELEASE_SIGNED: "yes",
    SWARMD_RELEASE_BASE: "libssl.so.3,libz.so.1",
    SWARMD_RELEASE_FOREIGN: "usr/lib/firmware/",
  };
  expect(Object.keys(env).sort()).toEqual(settingKeys.map(environmentNameOf).sort());
  expect(await load(env)).toEqual({
    listen: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"],
    binhostListen: "0.0.0.0:8480",
    gatewayListen: "[::1]:4790",
    gatewayHosts: ["build.example", "lab"],
    gatewayTokenFile: "/etc/swarmd/token",
    binhostPath: "/srv/binpkgs",
    releaseBuilders: 2,
    releaseSigned: true,
    releaseBase: ["libssl.so.3", "libz.so.1"],
    releaseForeign: ["usr/lib/firmware/"],
    announce: ["/dns/build.example/tcp/4701"],
    slots: 0,
    memory: 1.5 * 2 ** 30,
    nice: 10,
    small: true,
    suspend: "abandon",
    name: "ann",
    sandbox: "bubblewrap",
    unsafeNoSandbox: true,
    logLevel: "debug",
    diskPath: "/",
    recordingBytesMax: 64 << 20,
    otlpEndpoint: "http://localhost:4318",
    diagnosis: "/etc/swarmd/diagnosis",
    mdns: false,
    toolchains: { ocamlc: null, mycc: "/opt/mycc" },
    mode: "weighted",
    weights: { free: 2, local: 0.5 },
    policy: "standby",
    labels: ["gpu", "big-memory"],
    artifactBytesMax: 50 * 2 ** 30,
    diskFreeBytesMin: 512 * 2 ** 20,
    timelineKeptMs: 60 * 86_400_000,
    logsKeptMs: 30 * 86_400_000,
    logsBytesMax: 2 ** 31,
    fenced: true,
    temperatureCelsiusMax: 80.5,
    pressurePercentMax: 30,
    sustainedMs: 90_000,
    groundingFailures: 4,
    groundingWindowMs: 5_400_000,
    groundingForMs: 600_000,
    standbyHoldOffMs: 10_000,
    owner: "yield",
    ownerIdleMs: 120_000,
    ownerSlots: 1,
    twinAfter: 2.5,
    copies: "needed",
    logFile: "/var/log/swarmd.log",
  });
});

test("how the node takes work is as the core has it by default, but for what is set", async () => {
  expect(schedulingOf(await load())).toEqual(defaultScheduling);
  await writeFile(file, "mode: weighted\nweights: {heat: 3}\nlabels: [b, a, b]\ngroundingForMs: 10m\n");
  expect(schedulingOf(await load())).toEqual({
    ...defaultScheduling,
    mode: "weighted",
    weights: { ...defaultScheduling.weights, heat: 3 },
    labels: ["a", "b"],
    grounding: { ...defaultScheduling.grounding, forMs: 600_000 },
  });
});

test.each<[string, object, string]>([
  ["an unknown mode", { mode: "clever" }, "--mode"],
  ["a weight of a part that is none", { weights: "luck=1" }, "--weights"],
  ["a weight that is no number", { weights: "free=much" }, "--weights"],
  ["a time without a unit it knows", { sustainedMs: "2 weeks" }, "--sustained-ms"],
  ["a label with a space", { labels: "big memory" }, "--labels"],
  ["a fence without a label", { fenced: true }, "--fenced"],
  ["a gateway open to all, without a token", { gatewayListen: "0.0.0.0:4780" }, "--gateway-listen"],
  ["a folder that begins at the root", { releaseForeign: "/usr/lib/firmware/" }, "--release-foreign"],
  ["a size without a unit it knows", { memory: "8 gigs" }, "--memory"],
  ["a machine that stands back too far", { nice: "20" }, "--nice"],
  ["a limit no machine has", { temperatureCelsiusMax: "900" }, "--temperature-celsius-max"],
])("%s is refused by name", async (_, flags, name) => {
  await expect(load({}, flags)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(name),
  });
});

test("a daemon that listens on loopback alone does not look around the LAN unless told to", async () => {
  expect((await load({}, { listen: ["127.0.0.1:0", "[::1]:0"] })).mdns).toBe(false);
  expect((await load({}, { listen: ["127.0.0.1:0", "0.0.0.0:0"] })).mdns).toBe(true);
  expect((await load({}, { listen: ["127.0.0.1:0"], mdns: true })).mdns).toBe(true);
});

test("an address is written as host and port or as a multiaddr", () => {
  expect(multiaddrOf("192.0.2.7:4701")).toBe("/ip4/192.0.2.7/tcp/4701");
  expect(multiaddrOf("[2001:db8::7]:4701")).toBe("/ip6/2001:db8::7/tcp/4701");
  expect(multiaddrOf("ann.example:4701")).toBe("/dns/ann.example/tcp/4701");
  expect(multiaddrOf("/ip4/192.0.2.7/tcp/4701")).toBe("/ip4/192.0.2.7/tcp/4701");
  for (const wrong of [
    "",
    "4701",
    "ann",
    "ann:99999",
    "ann:x",
    "999.1.1.1:1",
    "/ip4/x/tcp/1",
    "/nothing",
    "a:b:1",
  ])
    expect(multiaddrOf(wrong), wrong).toBeUndefined();
});

test("a refusal names where the fault stands", async () => {
  const refusal = (message: string) => ({ code: "usage", message: expect.stringContaining(message) });
  await expect(load({ SWARMD_SLOTS: "many" })).rejects.toMatchObject(refusal("SWARMD_SLOTS"));
  await expect(load({}, { logLevel: "loud" })).rejects.toMatchObject(refusal("--log-level"));
  await expect(load({}, { listen: "nowhere" })).rejects.toMatchObject(refusal("--listen"));
  await writeFile(file, "slot: 3\n");
  await expect(load()).rejects.toMatchObject(refusal(`${file}:1:1: slot is not a setting`));
  await writeFile(file, "slots: -1\n");
  await expect(load()).rejects.toMatchObject(refusal(`${file}:1:8: slots: `));
  await writeFile(file, "slots: [1\n");
  await expect(load()).rejects.toMatchObject(refusal(file));
  await writeFile(file, "- slots\n");
  await expect(load()).rejects.toMatchObject(refusal(file));
});

test("everything that is wrong is told at once, each with its place and the nearest right word", async () => {
  await writeFile(file, "slots: 2\nlabls: [gpu]\nweights:\n  free: 1\n  heat: hot\nmode: clever\n");
  const { faults, config } = await readSettings({ file, env: { SWARMD_OWNER: "nobody" }, flags: {} });
  expect(config).toBeUndefined();
  expect(faults.map(({ place, remedy }) => [place, remedy])).toEqual(
    expect.arrayContaining([
      [`${file}:2:1`, "did you mean labels?"],
      [`${file}:5:9`, undefined],
      [`${file}:6:7`, undefined],
      ["SWARMD_OWNER", undefined],
    ]),
  );
});

test.each<[object, string]>([
  [{ memory: "8 gigs" }, "--memory: memory: takes a size: 512M or 8G"],
  [{ ownerIdleMs: "soon" }, "--owner-idle-ms: ownerIdleMs: takes a time: 30s, 5m or 1h30m"],
  [{ nice: "30" }, "--nice: nice: at most 19"],
  [{ groundingFailures: "0" }, "--grounding-failures: groundingFailures: at least 1"],
  [{ suspend: "maybe" }, "--suspend: suspend: takes finish, abandon"],
  [{ memory: "1M" }, "--memory: memory: at least 64M"],
])("%j is refused in words", async (flags, message) => {
  await expect(load({}, flags)).rejects.toMatchObject({ code: "usage", message });
});

test("a word that is nearly one of those a setting takes is named", async () => {
  await expect(load({}, { mode: "thermalaware" })).rejects.toMatchObject({
    code: "usage",
    remedy: "did you mean thermal-aware?",
  });
  await expect(load({}, { labels: ["gpu"], logLevel: "wran" })).rejects.toMatchObject({
    remedy: "did you mean warn?",
  });
});

test("each value is told with the place that said it last", async () => {
  await writeFile(file, "slots: 2\nmode: learned\n");
  const { values, places } = await readSettings({ file, env: { SWARMD_SLOTS: "3" }, flags: {} });
  expect([values.slots, places.get("slots")]).toEqual([3, "SWARMD_SLOTS"]);
  expect([values.mode, places.get("mode")]).toEqual(["learned", `${file}:2:7`]);
  expect(places.has("labels")).toBe(false);
});

test("the file to begin with says nothing yet, and each of its lines is right once its # is gone", async () => {
  await writeFile(file, commentedFile());
  expect(await load()).toEqual(await load({}, {}));
  const bare = commentedFile().replaceAll(/^#(?=[a-zA-Z]+:)/gm, "");
  await writeFile(file, bare);
  const { faults, places } = await readSettings({ file, env: {}, flags: {} });
  expect(faults).toEqual([]);
  expect([...places.keys()].sort()).toEqual([...settingKeys].sort());
});

test("every default is what its own text says", async () => {
  await writeFile(
    file,
    settingKeys
      .map((key) => [key, valueText(settingOf(key).fallback, settingOf(key).kind)])
      .filter(([, text]) => text !== "")
      .map(([key, text]) => `${key}: ${text}\n`)
      .join(""),
  );
  const told = await load();
  await rm(file);
  expect(told).toEqual(await load());
});

test("the page lists every setting", async () => {
  const page = await readFile(path.resolve(import.meta.dirname, "../specs/config.md"), "utf8");
  const listed = [...page.matchAll(/^\| `([a-zA-Z]+)` \|/gm)].map(([, key]) => key);
  expect(listed).toEqual(settingKeys);
});

test("an empty file says nothing, and a huge one is not read", async () => {
  await writeFile(file, "# nothing yet\n");
  expect((await load()).logLevel).toBe("info");
  await writeFile(file, "#".repeat(100_000));
  await expect(load()).rejects.toMatchObject({ code: "too-large" });
});

test("any host's name becomes a valid node's name", () => {
  expect(nodeNameOf("Thomas' PC.local")).toBe("thomas-pc");
  expect(nodeNameOf("---")).toBe("node");
  expect(nodeNameOf("ÄÖ")).toBe("node");
  expect(nodeNameOf(`${"a".repeat(62)}-b`)).toBe("a".repeat(62));
});

test("what is announced must be something that others can dial", async () => {
  const told = { SWARMD_ANNOUNCE: "192.0.2.7:4701,[2001:db8::7]:4701,builder.example:4701" };
  expect((await load(told)).announce).toEqual([
    "/ip4/192.0.2.7/tcp/4701",
    "/ip6/2001:db8::7/tcp/4701",
    "/dns/builder.example/tcp/4701",
  ]);
  for (const text of ["0.0.0.0:4701", "[::]:4701", "192.0.2.7:0", "/ip4/192.0.2.7/udp/4701"])
    await expect(load({ SWARMD_ANNOUNCE: text }), text).rejects.toThrow("nothing that others can dial");
});
