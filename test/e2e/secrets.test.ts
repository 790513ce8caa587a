/** Secrets are planted wherever there are any, used in every way, and then everything that was written anywhere, or went over the wire, is searched for them. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { Level } from "level";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Recording } from "../../node/recording/recording.ts";
import { stretchIn } from "../../node/recordings.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { decodeTicket } from "../../protocol/swarm/ticket.ts";
import { Terminal } from "../cli/terminal.ts";
import { Farm } from "./farm.ts";

const value = "s3cret-of-the-farm-4711";
/** In the environment of a daemon, as an owner's shell may have it. */
const inherited = "inherited-t0ken-0815";

class SecretFarm extends Farm {
  readonly tickets: string[] = [];
  /** All that commands and daemons printed. */
  readonly printed: string[] = [];

  static override async open(): Promise<SecretFarm> {
    return new SecretFarm(await Terminal.open());
  }

  override async ticket(from: string): Promise<string> {
    const ticket = await super.ticket(from);
    this.tickets.push(ticket);
    return ticket;
  }

  protected override settingsOf(): Readonly<Record<string, string>> {
    return {
      SWARMD_LOG_LEVEL: "debug",
      NPM_TOKEN: inherited,
      NODE_OPTIONS: `--import ${path.join(import.meta.dirname, "wiretap.ts")}`,
      WIRETAP: this.wire,
    };
  }

  get wire(): string {
    return path.join(this.terminal.dir, "wire");
  }

  override async run(name: string, ...args: readonly string[]) {
    const ended = await super.run(name, ...args);
    if (args[0] !== "invite") this.printed.push(ended.stdout, ended.stderr);
    return ended;
  }

  /** Ends all daemons in good order; what they printed is kept. */
  async stop(): Promise<void> {
    for (const [name, daemon] of this.daemons) {
      await this.good(name, "stop");
      const { stdout, stderr } = await daemon.ended;
      this.printed.push(stdout, stderr);
    }
  }
}

const spec = `swarmd: 1
name: leaky
actions:
  say:
    run: cat "$SECRETS/token"; cat "$SECRETS/token" >&2; base64 "$SECRETS/token"; od -An -tx1 "$SECRETS/token" | tr -d ' \\n'; env; echo > \${out}
    secrets: token
    out: said.txt
  keep:
    run: cp "$SECRETS/token" \${out}
    secrets: token
    out: kept.txt
    retries: 0
  name:
    run: mkdir \${out} && echo > "\${out}/$(cat "$SECRETS/token")"
    secrets: token
    out: named/
    retries: 0
  fail:
    run: sh -c "exit \\"$(cat "$SECRETS/token")\\""
    secrets: token
    out: failed.txt
    retries: 0
`;

/** How a value looks in what others make of it. */
const formsOf = (bytes: Buffer): Buffer[] => [
  bytes,
  Buffer.from(bytes.toString("hex")),
  Buffer.from(bytes.toString("base64").replace(/=+$/, "").slice(0, -2)),
  ...[1, 2].map((offset) =>
    Buffer.from(
      Buffer.concat([Buffer.alloc(offset), bytes])
        .toString("base64")
        .slice(4, -4),
    ),
  ),
];

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const place = path.join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(place) : entry.isFile() ? [place] : [];
  });

/** Keys and values of a store: its files are compressed. */
async function contentOf(store: string): Promise<Buffer> {
  const level = new Level<string, Uint8Array>(store, { valueEncoding: "view" });
  const pieces: Buffer[] = [];
  for await (const [key, bytes] of level.iterator()) pieces.push(Buffer.from(key), Buffer.from(bytes));
  await level.close();
  return Buffer.concat(pieces);
}

const tapesIn = (home: string): string[] => filesBelow(path.join(home, "recordings"));

/** All that a recording of a build, or a recorded stretch, has in it: both are compressed. */
async function contentOfRecording(file: string): Promise<Buffer> {
  if (!file.endsWith(".swarm")) return contentOfTape(readFileSync(file), file);
  const recording = await Recording.open(file);
  const pieces: Uint8Array[] = [encode(recording.head), ...recording.entries.map(({ bytes }) => bytes)];
  for (const digest of recording.blobs()) pieces.push(...(await Array.fromAsync(recording.stream(digest))));
  for (const name of recording.stretches()) pieces.push(contentOfTape(await recording.stretch(name), name));
  await recording.close();
  return Buffer.concat(pieces);
}

function contentOfTape(bytes: Buffer, file: string): Buffer {
  const { head, steps } = stretchIn(bytes, file);
  return Buffer.concat([encode(head), ...Array.from(steps, (step) => encode(step))]);
}

/** What `export --json` said. */
let told: { file: string; build: string; root: string; swarm: string; logs: number; tapes: number };
let farm: SecretFarm;
beforeAll(async () => {
  farm = await SecretFarm.open();
  await mkdir(farm.wire);
  await farm.found("ann", "bob");
}, 120_000);
afterAll(() => farm.close());

it("no secret, ticket or token is found in homes, stores, logs, on the wire, or in what anybody printed", async () => {
  const given = path.join(farm.homeOf("bob"), "secrets");
  await mkdir(given, { mode: 0o700, recursive: true });
  await writeFile(path.join(given, "token"), `${value}\n`, { mode: 0o600 });
  const file = await farm.terminal.write("leaky.yaml", spec);
  expect((await farm.run("ann", "submit", file)).code).toBe(1);
  expect(await farm.good("ann", "logs", "leaky", "say")).toContain("[secret token]");
  for (const words of [["status"], ["node", "list"], ["member", "list"], ["doctor"], ["config", "show"]])
    await farm.good("ann", ...words, "--json");
  const recorded = path.join(farm.terminal.dir, "leaky.swarm");
  told = await farm.json("ann", "export", "leaky", recorded, "--logs", "all");
  for (const format of ["chrome", "otlp", "jsonl"])
    await farm.good("ann", "export", "leaky", path.join(farm.terminal.dir, format), "--format", format);
  await farm.stop();

  const seeds = farm.tickets.map((ticket) => Buffer.from(decodeTicket(ticket).secret));
  expect(seeds).toHaveLength(1);
  const needles = [
    ...formsOf(Buffer.from(value)),
    ...formsOf(Buffer.from(inherited)),
    ...seeds.flatMap(formsOf),
    ...farm.tickets.map((ticket) => Buffer.from(ticket.slice(-60))),
  ];
  const leaks = (content: Buffer) => needles.filter((needle) => content.includes(needle)).length;
  const stores = ["ann", "bob"].map((name) => path.join(farm.homeOf(name), "timeline"));
  for (const store of stores) {
    const content = await contentOf(store);
    expect(content.includes("build.submitted")).toBe(true);
    expect(leaks(content), store).toBe(0);
  }
  const recordings = [recorded, ...["ann", "bob"].flatMap((name) => tapesIn(farm.homeOf(name)))];
  for (const file of recordings) {
    const content = await contentOfRecording(file);
    expect(content.includes("leaky"), file).toBe(true);
    expect(leaks(content), file).toBe(0);
  }
  expect((await contentOfRecording(recorded)).includes("[secret token]")).toBe(true);
  const printed = Buffer.from(farm.printed.join("\n"));
  expect(printed.includes("actions can run")).toBe(true);
  expect(leaks(printed)).toBe(0);
  const wire = Buffer.concat(filesBelow(farm.wire).map((place) => readFileSync(place)));
  for (const word of ["build.submitted", "member.admitted", "[secret token]"])
    expect(wire.includes(word), word).toBe(true);
  expect(leaks(wire)).toBe(0);
  const found = filesBelow(farm.terminal.dir).filter((place) => leaks(readFileSync(place)) > 0);
  expect(found).toEqual([path.join(given, "token")]);
}, 120_000);

it("the recording answers where no daemon ever was; what is not as it was written is refused", async () => {
  const { terminal } = farm;
  const { file } = told;
  expect(told).toMatchObject({ tapes: expect.any(Number), logs: expect.any(Number) });
  expect(told.tapes).toBeGreaterThan(0);
  const away = { SWARMD_HOME: path.join(terminal.dir, "nowhere") };
  const ask = (...args: string[]) => terminal.start(args, away).ended;
  const refusal = async (...args: string[]) => {
    const { code, stdout } = await ask(...args, "--json");
    return { exit: code, ...(JSON.parse(stdout) as { error: { code: string } }).error };
  };
  const autopsy = await ask("autopsy", file, "--json");
  expect(JSON.parse(autopsy.stdout).failures.map(({ action }: { action: string }) => action)).toContain(
    "fail",
  );
  expect((await ask("logs", file, "say")).stdout).toContain("[secret token]");
  const verified = await ask("replay", file, "--verify", "--root", told.root);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining("the same") });
  expect(verified.stderr).toContain("sealed by ann");
  expect(await refusal("why", file, "say", "--root", "12D3KooWanother")).toMatchObject({
    exit: 4,
    code: "wrong-swarm",
  });

  const bytes = await readFile(file);
  const altered = Buffer.from(bytes);
  altered[altered.length >> 1]! ^= 4;
  await writeFile(path.join(terminal.dir, "altered.swarm"), altered);
  expect(await refusal("replay", "altered.swarm")).toMatchObject({ exit: 4, code: "blob-corrupt" });
  await writeFile(path.join(terminal.dir, "torn.swarm"), bytes.subarray(0, -100));
  expect(await refusal("timeline", "torn.swarm")).toMatchObject({ exit: 4, code: "malformed" });
  expect(await refusal("critical-path", "none.swarm")).toMatchObject({ exit: 2, code: "not-found" });
  expect(await refusal("export", file)).toMatchObject({ exit: 2, code: "usage" });

  const lines = (await ask("export", file, "--format", "jsonl", "-")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toContain("build.submitted");

  const collector = http.createServer((request, response) => {
    request.resume().once("end", () => {
      response.writeHead(posted.push(request.url ?? "") === 1 ? 503 : 200).end("{}");
    });
  });
  const posted: string[] = [];
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  const sent = await ask("export", file, "--otlp-endpoint", `http://127.0.0.1:${port}`, "--json");
  collector.close();
  expect(sent.code).toBe(0);
  expect((JSON.parse(sent.stdout) as { spans: number }).spans).toBeGreaterThan(4);
  expect(posted.slice(0, 2)).toEqual(["/v1/traces", "/v1/traces"]);

  const shown = terminal.start(["open", file, "--no-browser", "--listen", "127.0.0.1:0"], away);
  await shown.printed("/#/builds/");
  shown.process.kill("SIGINT");
  expect(await shown.ended).toMatchObject({ code: 0 });
}, 120_000);
