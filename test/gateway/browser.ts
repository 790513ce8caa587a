/** A real browser on a dashboard that was just built, over views that a test hands in. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium, type Page } from "playwright-core";
import { build } from "vite";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import type { Views } from "../../node/gateway/views.ts";
import { patient } from "../patience.ts";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

/** Why there is none here; undefined: there is one. */
export const noBrowser = executablePath === undefined ? "needs Debian's chromium" : undefined;

const configFile = path.resolve(import.meta.dirname, "../../node/gateway/web/vite.config.ts");

export interface Seen {
  readonly page: Page;
  readonly gateway: Gateway;
  /** Of the built page. */
  readonly folder: string;
  /** What the browser complained of: faults, and what its policy refused. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function openBrowser(views: Views, token?: string): Promise<Seen> {
  const folder = await mkdtemp(path.join(tmpdir(), "swarmd-page-"));
  const options = { configFile, logLevel: "error", build: { outDir: folder } } as const;
  await build(options).catch(async (fault: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw fault;
  });
  const complaints: string[] = [];
  const gateway = await openGateway({
    listen: "127.0.0.1:0",
    hosts: [],
    views,
    page: folder,
    onFault: (fault, at) => complaints.push(`${at}: ${fault}`),
    ...(token === undefined ? {} : { token }),
  });
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
    ...patient,
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(patient.timeout);
  const page = await context.newPage();
  page.on("pageerror", (fault) => complaints.push(String(fault)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return {
    page,
    gateway,
    folder,
    complaints,
    async close() {
      await browser.close();
      await gateway.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
