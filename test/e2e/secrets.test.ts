/** Secrets are planted wherever there are any, used in every way, and then everything that was written anywhere, or went over the wire, is searched for them. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { Level } from "level";
import { afterAll, beforeAll, expect, it } from "vitest";
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
