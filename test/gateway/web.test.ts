import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { graphOf } from "../work/facts.ts";
import { noBrowser, openBrowser, type Seen } from "./browser.ts";
import { Played } from "./played.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const token = "a-token-of-some-length";
const patient = { timeout: 20_000 };

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

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

describe.skipIf(noBrowser)(
  `the dashboard in a browser${noBrowser ? `: ${noBrowser}` : ""}`,
  { timeout: 90_000 },
  () => {
    const gates = new Map<string, () => void>();
    let views: Played;
    let seen: Seen;
    let build: BuildId;
    let large: BuildId;

    beforeAll(async () => {
      views = new Played({
        nodes: ["alpha", "beta", "gamma"],
        failing: ["lint"],
        pace: (action) => new Promise((resolve) => gates.set(action, resolve)),
      });
      build = await views.plan(
        "demo",
        graphOf({ compile: [], link: ["compile"], lint: ["compile"], pack: ["lint"] }),
      );
      large = await views.plan("large", wide(5000));
      seen = await openBrowser(views, token);
    }, 120_000);
    afterAll(() => seen?.close());

    const at = (hash: string) => seen.page.goto(`${seen.gateway.url}/#/${hash}`);
    const pass = async (action: string) => {
      await vi.waitFor(() => expect(gates.has(action)).toBe(true), patient);
      gates.get(action)!();
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
      expect(await details.textContent()).toContain("exit code 1");
      await page.getByRole("link", { name: "Timeline" }).click();
      await page.getByRole("img", { name: /^beta: 1 runs/ }).waitFor(patient);
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
      await page.mouse.move(box.x + box.width / 4, box.y + box.height / 3, { steps: 40 });
      await page.mouse.up();
      await canvas.press("+");
      await canvas.press("n");
      await vi.waitFor(async () => expect(await pictures()).toBeGreaterThan(before + 3), patient);
      expect(new URL(page.url()).hash).toContain("action=");
    });

    test("axe finds no serious fault in any view", async () => {
      const { page } = seen;
      for (const [hash, theme] of [
        ["swarm", "light"],
        [`builds/${build}?action=lint`, "dark"],
        [`builds/${build}/timeline`, "light"],
        ["events", "dark"],
      ] as const) {
        await at(hash);
        await page.getByLabel("Colours").selectOption(theme);
        await page.getByRole("heading", { level: 1 }).waitFor(patient);
        await page.getByText("Reading…").waitFor({ state: "detached", ...patient });
        const faults = await page.evaluate(async (source) => {
          const there = globalThis as { axe?: { run(): Promise<{ violations: Violation[] }> } };
          if (there.axe === undefined) new Function(source)();
          const { violations } = await there.axe!.run();
          return violations
            .filter(({ impact }) => impact === "serious" || impact === "critical")
            .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
        }, axe);
        expect(faults, hash).toEqual([]);
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
