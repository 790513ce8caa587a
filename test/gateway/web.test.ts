import { EventEmitter, on } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Control } from "../../node/control/api.ts";
import { controlClient } from "../../node/control/client.ts";
import type { WireLine, WireRequest } from "../../node/control/data.ts";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import { viewsOf } from "../../node/recording/views.ts";
import { Explorer } from "../../node/sql/explorer.ts";
import type { Graph } from "../../protocol/build/graph.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { Farm } from "../e2e/farm.ts";
import { patient } from "../patience.ts";
import { bytesOf, opened, sectionsBy, story } from "../recording/made.ts";
import { Past } from "../sql/told.ts";
import { graphOf } from "../work/facts.ts";
import { noBrowser, openBrowser, type Seen } from "./browser.ts";
import { noCockpit, openCockpit } from "./cockpit.ts";
import { Played } from "./played.ts";
import { released, releasedManifest } from "./released.ts";
import { simulatedReport } from "./simulated.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const token = "a-token-of-some-length";

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What is called in it is nowhere; what is done, is done apart, so that each shows by itself. */
const spec = `swarmd: 1
name: broken
actions:
  prepare: { run: "sleep 0.2; echo fine > \${out}", out: a.txt }
  other: { run: "sleep 0.2; echo fine > \${out}", out: c.txt }
  compile: { run: "nosuchcompiler a.txt > \${out}", in: a.txt, out: b.txt }
  link: { run: "cat b.txt c.txt > \${out}", in: [b.txt, c.txt], out: d.txt }
`;

/** Long enough to be looked at; it is cancelled. */
const slow = `swarmd: 1
name: slow
actions:
  first: { run: "sleep 600; echo > \${out}", out: a.txt }
  second: { run: "sleep 600; echo > \${out}", out: b.txt }
  last: { run: "cat a.txt b.txt > \${out}", in: [a.txt, b.txt], out: c.txt }
`;

/** As many actions as asked for, each standing on up to two before it, in ten layers. */
function wide(actions: number) {
  const perLayer = Math.ceil(actions / 10);
  return graphOf(
    Object.fromEntries(
      Array.from({ length: actions }, (_, i) => [
        `lib/part-${i}.o`,
        i < perLayer
          ? []
          : [...new Set([i - perLayer, i - perLayer - (i % 7)])]
              .filter((n) => n >= 0)
              .map((n) => `lib/part-${n}.o`),
      ]),
    ),
  );
}

/** Its link is for another kind of machine than the rest, and has an environment. */
const targeted = (graph: Graph): Graph => ({
  ...graph,
  actions: graph.actions.map((action) => ({
    ...action,
    requires: { target: `${action.name === "link" ? "aarch64" : "x86_64"}-linux-gnu` },
    env: { LANG: "C.UTF-8", OPTIONS: "-O2 -g" },
  })),
});

/** It is asked by SQL like a daemon, and has sent and got two messages. */
class Told extends Played {
  private readonly explorer: Explorer;
  readonly arrivals = new EventEmitter();

  constructor(options: ConstructorParameters<typeof Played>[0], file: string) {
    super(options);
    const limits = { queryMsMax: 60_000 };
    this.explorer = new Explorer({ file, feed: new Past().play().feed(), nowMs: () => 0, limits });
    const line = {
      way: "message",
      kind: "ask",
      node: "beta",
      peerId: "b",
      entryCount: 0,
      entries: [],
    } as const;
    this.messages.push(
      { ...line, number: 1, atMs: Date.UTC(2030, 0, 1), direction: "out", bytes: 120 },
      { ...line, number: 2, atMs: Date.UTC(2030, 0, 1), direction: "in", kind: "grant", bytes: 340 },
    );
  }

  override sqlTables() {
    return this.explorer.tables();
  }

  override async sqlSchema() {
    return [...this.explorer.schema()];
  }

  override sqlQuery(sql: string) {
    return this.explorer.query(sql);
  }

  /** Said to whoever follows, and read by nobody who asks. */
  tell(line: Pick<WireLine, "number" | "kind">) {
    this.arrivals.emit("line", { ...this.messages[0]!, ...line });
  }

  override async *wire(request: WireRequest, signal: AbortSignal): AsyncIterable<WireLine> {
    if (!request.follow) return yield* super.wire(request, signal);
    for await (const [line] of on(this.arrivals, "line", { signal })) yield line;
  }

  override async wireStats() {
    const [sent, received] = [
      { count: 1, bytes: 120 },
      { count: 1, bytes: 340 },
    ];
    const none = { count: 0, bytes: 0 };
    const byKind = [
      { kind: "ask", way: "message" as const, sent, received: none },
      { kind: "grant", way: "message" as const, sent: none, received },
    ];
    const byPeer = [{ node: "beta", peerId: "b", sent, received }];
    const both = { sent, received };
    return { sinceMs: 0, atMs: 60_000, ...both, perSecond: both, byKind, byPeer, held: 2, heldMax: 100 };
  }

  override async releases() {
    return released;
  }

  override async releaseManifest(_channel: string, epoch: number) {
    return releasedManifest(epoch);
  }

  close() {
    this.explorer.close();
  }
}

describe.skipIf(noBrowser)(
  `the dashboard in a browser${noBrowser ? `: ${noBrowser}` : ""}`,
  { timeout: 240_000 },
  () => {
    const gates = new Map<string, () => void>();
    let views: Told;
    let dir: string;
    let seen: Seen;
    let build: BuildId;
    let large: BuildId;

    beforeAll(async () => {
      dir = await mkdtemp(path.join(tmpdir(), "swarmd-web-"));
      views = new Told(
        {
          nodes: ["alpha", "beta", "gamma"],
          failing: ["lint"],
          pace: (action) => new Promise((resolve) => gates.set(action, resolve)),
        },
        path.join(dir, "timeline.sqlite"),
      );
      build = await views.plan(
        "demo",
        targeted(graphOf({ compile: [], link: ["compile"], lint: ["compile"], pack: ["lint"] })),
      );
      large = await views.plan("large", wide(5000));
      seen = await openBrowser(views, token);
    }, 120_000);
    afterAll(async () => {
      await seen?.close();
      views?.close();
      if (dir) await rm(dir, { recursive: true, force: true });
    });

    const at = (hash: string) => seen.page.goto(`${seen.gateway.url}/#/${hash}`);
    const pass = async (action: string) => {
      await vi.waitFor(() => expect(gates.has(action)).toBe(true), patient);
      gates.get(action)!();
    };

    /** What is shown now has no fault for who sees or hears or types otherwise. */
    const faultless = async (what: string, theme: "light" | "dark") => {
      const { page } = seen;
      await page.getByLabel("Colours").selectOption(theme);
      await page
        .getByText("Reading…")
        .first()
        .waitFor({ state: "detached", ...patient });
      const faults = await page.evaluate(async (source) => {
        const there = globalThis as { axe?: { run(): Promise<{ violations: Violation[] }> } };
        if (there.axe === undefined) new Function(source)();
        const { violations } = await there.axe!.run();
        return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
      }, axe);
      expect(faults, what).toEqual([]);
    };

    test("is let in by the token, and shows the swarm", async () => {
      const { page, complaints } = seen;
      await at("swarm");
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Enter" }).click();
      await page.getByRole("row", { name: /gamma/ }).waitFor(patient);
      await page.locator(".here").getByText("live").waitFor(patient);
      expect(await page.getByRole("img", { name: "3 of 3 members are alive" }).count()).toBe(1);
      // The refusals before the token was given are all there is to complain of.
      expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
    });

    test("a build is watched to its end", async () => {
      const { page } = seen;
      await at("builds");
      await page.getByRole("link", { name: build }).click();
      await page.getByRole("button", { name: "4 waiting" }).waitFor(patient);
      const performed = views.perform(build);
      await page.getByRole("button", { name: "1 running" }).waitFor(patient);
      for (const action of ["compile", "link", "lint"]) await pass(action);
      await performed;
      await page.getByRole("button", { name: "1 held" }).waitFor(patient);
      await page.getByLabel("Search actions").fill("lint");
      await page.getByLabel("Search actions").press("Enter");
      const details = page.getByRole("complementary", { name: "Action lint" });
      await details.getByText("lint: it went wrong").waitFor(patient);
      // Its command is read apart from its log.
      await vi.waitFor(async () => {
        const known = await details.textContent();
        for (const said of ["exit code 1", "make lint", "OPTIONS='-O2 -g'", "in/source"])
          expect(known).toContain(said);
      }, patient);
      await page.getByLabel("Search actions").fill("");
      await page.getByLabel("Target").selectOption("aarch64-linux-gnu");
      const found = page.getByRole("list", { name: "Found" }).getByRole("button");
      await vi.waitFor(async () => expect(await found.allTextContents()).toEqual(["✓ link"]), patient);
      await page.getByRole("link", { name: "Timeline" }).click();
      await page.getByRole("img", { name: /^beta: 1 run,/ }).waitFor(patient);
    });

    test("five thousand actions are laid out, and drawn while they are moved", async () => {
      const { page } = seen;
      await at(`builds/${large}`);
      const canvas = page.locator("canvas[data-laid=yes]");
      await canvas.waitFor(patient);
      const pictures = async () => Number(await canvas.getAttribute("data-pictures"));
      await vi.waitFor(async () => expect(await pictures()).toBeGreaterThan(0), patient);
      const before = await pictures();
      const box = (await canvas.boundingBox())!;
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.down();
      // A browser that is held up draws once for many moves.
      let moves = 0;
      await vi.waitFor(async () => {
        moves++;
        await page.mouse.move(box.x + box.width / 4 + (moves % 40), box.y + box.height / 3, { steps: 10 });
        expect(await pictures()).toBeGreaterThan(before + 3);
      }, patient);
      await page.mouse.up();
      // From afar no box has its name in it: the pointer says it.
      await canvas.press("0");
      let over = "";
      for (let x = 10; over === "" && x < box.width; x += 10) {
        await page.mouse.move(box.x + x, box.y + box.height / 2);
        over = (await canvas.getAttribute("title")) ?? "";
      }
      expect(over).toMatch(/^lib\/part-\d+\.o: waiting$/);
      await canvas.press("+");
      await canvas.press("n");
      await page.waitForURL(/action=/, patient);
    });

    test("a question in SQL is answered, sorted, kept in the address; what is wrong is shown at its place", async () => {
      const { page } = seen;
      await at(`data?${new URLSearchParams({ q: "select action, wall_ms from actions order by action" })}`);
      const cells = page.getByRole("region", { name: "Rows" }).locator("tbody td");
      await vi.waitFor(
        async () => expect(await cells.allTextContents()).toEqual(["a", "100 ms", "b", "null", "c", "null"]),
        patient,
      );
      for (const sort of [1, 2]) {
        await page.getByRole("button", { name: "action" }).click();
        if (sort === 2)
          await vi.waitFor(async () => expect(await cells.first().textContent()).toBe("c"), patient);
      }
      await page.getByLabel("Query").fill("select *\nfrom nowhere");
      await page.getByLabel("Query").press("Control+Enter");
      await page.getByRole("alert").getByText("at line 2, column 6").waitFor(patient);
      await page.getByRole("button", { name: "Go there" }).click();
      // It marks the place with the next picture: what is typed before that would replace the mark alone.
      await page.locator("textarea:focus").waitFor(patient);
      expect(new URL(page.url()).hash).toContain("nowhere");
      await page.getByLabel("Query").fill("delete from builds");
      await page.getByRole("button", { name: "Ask" }).click();
      await page.getByRole("alert").getByText("only SELECT may be asked").waitFor(patient);
      await page.getByLabel("Examples").selectOption("Nodes compared");
      await page.getByRole("cell", { name: "ben", exact: true }).waitFor(patient);
    });

    test("an epoch shows its risk in parts and what is other than in another; what is staged, the commands for it", async () => {
      const { page } = seen;
      await at("releases");
      await page.getByText("swarmd verify --channel testing").waitFor(patient);
      await page.getByText("Pinned to its epoch by ann: a freeze.").waitFor(patient);
      await page.getByRole("link", { name: "2 (current)" }).click();
      await page.getByRole("row", { name: /size jump 8 2/ }).waitFor(patient);
      const files = page.getByRole("region", { name: "Files" }).locator("tbody tr");
      await vi.waitFor(async () => {
        const rows = (await files.allTextContents()).map((row) => row.replace(/\d.*$/, ""));
        expect(rows).toEqual(["otherchanged", "freshnew", "gonegone"]);
      }, patient);
      await faultless("an epoch", "light");
    });

    test("messages are counted by kind and by peer, and one kind alone is looked at", async () => {
      const { page } = seen;
      await at("wire");
      const last = page.getByRole("region", { name: "The last messages" }).locator("tbody tr");
      await vi.waitFor(async () => expect(await last.count()).toBe(2), patient);
      await page.getByRole("img", { name: "Messages per second" }).waitFor(patient);
      await page.getByRole("button", { name: "grant" }).click();
      await vi.waitFor(async () => expect(await last.count()).toBe(1), patient);
      expect(await last.textContent()).toContain("received");
      await page.getByRole("button", { name: "only grant" }).click();
      await vi.waitFor(async () => expect(await last.count()).toBe(2), patient);
    });

    test("messages are shown as they come, and as they were read once nothing is to move", async () => {
      const { page } = seen;
      await at("wire");
      const last = page.getByRole("region", { name: "The last messages" }).locator("tbody tr");
      const opened = page.waitForResponse((answer) => answer.url().includes("/api/v1/wire/stream"), patient);
      await page.reload();
      await opened;
      await vi.waitFor(() => expect(views.arrivals.listenerCount("line")).toBe(1), patient);
      await vi.waitFor(async () => {
        // Whoever listens a moment later hears the next.
        views.tell({ number: 3, kind: "held" });
        expect(await last.first().textContent()).toContain("held");
      }, patient);
      expect(await last.count()).toBe(3);
      await page.getByRole("checkbox", { name: "Live" }).uncheck();
      await vi.waitFor(async () => expect(await last.count()).toBe(2), patient);
    });

    test("a report of the simulator opens from a file, and what is none is refused with a word", async () => {
      const { page } = seen;
      await at("simulation");
      const put = (name: string, text: string) =>
        page.getByLabel("Report").setInputFiles({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
      await put("hostile.json", '{"swarmdReport": 1, "name": "<img src=x onerror=alert(1)>"}');
      await page.getByRole("alert").getByText("This is no report of swarmd sim").waitFor(patient);
      await put("report.json", JSON.stringify(simulatedReport()));
      await page.getByRole("row", { name: /cache-first/ }).waitFor(patient);
      await page.getByRole("img", { name: /^a: \d+ runs/ }).waitFor(patient);
      await faultless("a report", "dark");
      expect(await page.getByRole("alert").count()).toBe(0);
    });

    describe("over a daemon of its own", () => {
      let farm: Farm;
      let gateway: Gateway;
      let control: Control;
      let broken: string;

      beforeAll(async () => {
        farm = await Farm.open();
        await farm.found("ann");
        const { stdout } = await farm.run(
          "ann",
          "submit",
          await farm.terminal.write("broken.yaml", spec),
          "--json",
        );
        broken = (JSON.parse(stdout.trim().split("\n").at(-1)!) as { build: string }).build;
        control = controlClient(path.join(farm.homeOf("ann"), "control.sock"));
        gateway = await openGateway({
          listen: "127.0.0.1:0",
          hosts: [],
          views: control,
          page: seen.folder,
          onFault: (fault, at) => seen.complaints.push(`${at}: ${fault}`),
        });
      });
      afterAll(async () => {
        await gateway?.close();
        await farm?.close();
      });

      const show = async (view: string) => {
        await seen.page.goto(`${gateway.url}/#/builds/${broken}/${view}`);
        await seen.page.getByRole("heading", { level: 1, name: broken }).waitFor(patient);
      };

      test("an autopsy names the cause of a failure, what it holds up, and what to run", async () => {
        const { page } = seen;
        await show("autopsy");
        const failure = page.getByRole("article", { name: "Failure of compile" });
        await failure.getByText("the command nosuchcompiler is not there", { exact: true }).waitFor(patient);
        expect(await failure.textContent()).toContain(`swarmd retry ${broken}`);
        await page.getByRole("button", { name: /blocked compile holds up 1/ }).waitFor(patient);
        await page.locator(".autopsy canvas[data-laid=yes]").waitFor(patient);
        await page
          .getByRole("region", { name: "Critical path" })
          .getByRole("row", { name: /prepare|other/ })
          .first()
          .waitFor(patient);
        await faultless("autopsy", "light");
      });

      test("a replay slides: fewer are done earlier, steps go by keys, and the address names the moment", async () => {
        const { page } = seen;
        await show("replay");
        await page.getByRole("button", { name: "2 done" }).waitFor(patient);
        const slider = page.getByRole("slider", { name: "Time" });
        await slider.focus();
        await page.keyboard.press("Home");
        await page.getByRole("button", { name: "0 done" }).waitFor(patient);
        const none = page.getByRole("button", { name: "0 done" });
        for (let step = 0; (await none.count()) > 0 && step < 60; step++) {
          await page.keyboard.press("ArrowRight");
          await page.evaluate(
            "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))",
          );
        }
        const words = page.getByRole("list", { name: "Events at this moment" });
        expect(await words.textContent()).toMatch(/(prepare|other) is done in/);
        await page.getByRole("button", { name: "1 done" }).waitFor(patient);
        // The address follows at a distance: on the way it named earlier moments.
        await page.waitForURL(new RegExp(`replay\\?at=${await slider.inputValue()}$`), patient);
        await page.reload();
        await page.getByRole("button", { name: /[12] done/ }).waitFor(patient);
        await slider.focus();
        await page.keyboard.press("End");
        await page.getByRole("button", { name: "1 blocked" }).waitFor(patient);
        await page.getByRole("img", { name: /^ann: 5 of 5 runs/ }).waitFor(patient);
        await faultless("replay", "dark");
      });

      test("it plays by itself to the end, and stops there", async () => {
        const { page } = seen;
        await show("replay");
        await page.keyboard.press("Home");
        await page.getByLabel("Speed").selectOption("250");
        await page.getByRole("button", { name: "Play" }).click();
        await page.getByRole("button", { name: "2 done" }).waitFor(patient);
        await page.getByRole("button", { name: "Play" }).waitFor(patient);
      });

      test("decisions show their candidates, and are found by action", async () => {
        const { page } = seen;
        await show("decisions");
        await page
          .getByRole("region", { name: "Decisions", exact: true })
          .getByLabel("Search actions")
          .fill("compile");
        await page.getByText("1 to 3 of 3").waitFor(patient);
        await page.getByRole("button", { name: "compile", exact: true }).click();
        const opened = page.getByRole("complementary", { name: "Decision about compile" });
        await opened.getByRole("row", { name: /ann/ }).first().waitFor(patient);
        expect(await opened.textContent()).toMatch(/its steward, kept it/);
        await faultless("decisions", "light");
      });

      test("a build that rests shows what would be chosen next, its breakpoints, and commands to copy", async () => {
        const { page } = seen;
        const file = await farm.terminal.write("slow.yaml", slow);
        await farm.good("ann", "submit", file, "--detach");
        const { build } = (await control.builds()).find(({ name }) => name === "slow")!;
        await control.control(build, "pause", { reason: "let me look" });
        await control.debug(build, { op: "break", action: "last" as ActionName });
        await page.goto(`${gateway.url}/#/builds/${build}/debug`);
        await page.getByText("let me look").waitFor(patient);
        await page.getByRole("row", { name: /^last not yet/ }).waitFor(patient);
        const choices = page.getByRole("region", { name: "Next choices" });
        await choices.getByText("second", { exact: true }).click();
        await choices.getByRole("row", { name: /^ann chosen/ }).waitFor(patient);
        await choices.getByText(`swarmd step ${build} second`).waitFor(patient);
        await faultless("debug", "dark");
        await control.control(build, "cancel");
        await page.getByText("It has ended").waitFor(patient);
        await faultless("debug of what has ended", "light");
      });

      test("the latest build has an address", async () => {
        await seen.page.goto(`${gateway.url}/ui/replay.html`);
        await seen.page.waitForURL(/#\/builds\/slow-[0-9a-f]{10}\/replay/, patient);
      });
    });

    test("axe finds no fault in any view", async () => {
      const { page } = seen;
      for (const [hash, theme] of [
        ["swarm", "light"],
        [`builds/${build}?action=lint`, "dark"],
        [`builds/${build}/timeline`, "light"],
        ["events", "dark"],
        ["simulation", "light"],
        ["data?q=select+*+from+builds", "dark"],
        ["wire", "light"],
        ["releases", "dark"],
        ["artifacts", "light"],
        ["nowhere", "dark"],
      ] as const) {
        await at(hash);
        await page.getByRole("heading", { level: 1 }).waitFor(patient);
        await faultless(hash, theme);
      }
    });

    test.skipIf(noCockpit)(
      `is a page of Cockpit, read through its bridge${noCockpit ? `: ${noCockpit}` : ""}`,
      async () => {
        const cockpit = await openCockpit(Number(new URL(seen.gateway.url).port));
        const page = await seen.page.context().newPage();
        const complaints: string[] = [];
        page.on("console", (message) => complaints.push(message.text()));
        try {
          expect(cockpit.packages).toMatch(/^swarmd +swarmd +/m);
          await page.goto(`${cockpit.url}#/swarm`);
          await page.getByLabel("Token").fill(token);
          await page.getByRole("button", { name: "Enter" }).click();
          await page.getByRole("row", { name: /gamma/ }).waitFor(patient);
          await page.locator(".here").getByText("live").waitFor(patient);
          expect(complaints).toEqual([]);
        } finally {
          await page.close();
          await cockpit.close();
        }
      },
    );
    test("opens a recording with nothing behind it: its build, who sealed it, and every view", async () => {
      const { cores, build: recorded } = story();
      const recording = await opened(await bytesOf(sectionsBy(cores, "ann", recorded)));
      const faults: unknown[] = [];
      const gateway = await openGateway({
        listen: "127.0.0.1:0",
        hosts: [],
        views: viewsOf(recording),
        page: seen.folder,
        onFault: (fault) => faults.push(fault),
      });
      const page = await seen.page.context().newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (fault) => complaints.push(String(fault)));
      try {
        await page.goto(`${gateway.url}/#/builds/${recorded}`);
        const sign = page.locator(".sign", { hasText: "a recording" });
        await sign.waitFor(patient);
        expect(await sign.getAttribute("title")).toContain("sealed by ann");
        await page.getByText("failed").first().waitFor(patient);
        for (const view of ["swarm", "builds", "releases", "artifacts", "events", "data"]) {
          await page.goto(`${gateway.url}/#/${view}`);
          await page.getByRole("heading", { level: 1 }).waitFor(patient);
          await page
            .getByText("Reading…")
            .first()
            .waitFor({ state: "detached", ...patient });
        }
        expect([...complaints, ...faults]).toEqual([]);
      } finally {
        await page.close();
        await gateway.close();
        await recording.close();
      }
    });

    test("is at most 300 KB on its way", async () => {
      const files = await readdir(seen.folder, { recursive: true, withFileTypes: true });
      let bytes = 0;
      for (const file of files)
        if (file.isFile()) bytes += gzipSync(await readFile(path.join(file.parentPath, file.name))).length;
      expect(bytes).toBeGreaterThan(10_000);
      expect(bytes).toBeLessThan(300_000);
    });
  },
);
