import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { patient } from "../patience.ts";
import { Lab, missingForLab } from "./lab.ts";

const missing = await missingForLab();
if (missing) console.warn(`tests in a network of namespaces are skipped: there is no ${missing}`);

const listening = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (text) => process.stdout.write(text));
  socket.bind(9, () => process.stdout.write("ready\\n"));
`;

describe.skipIf(missing !== undefined)("a lab", { timeout: 240_000 }, () => {
  let lab: Lab;
  afterEach(() => lab?.close());

  /** What a machine hears on its port, line by line. */
  const hearing = async (name: string): Promise<string[]> => {
    const [command, ...args] = lab.machine(name).inside("/");
    const server = spawn(command!, [...args, process.execPath, "-e", listening], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const heard: string[] = [];
    server.stdout
      .setEncoding("utf8")
      .on("data", (text: string) => heard.push(...text.split("\n").filter(Boolean)));
    await once(server.stdout, "data");
    heard.length = 0;
    return heard;
  };
  const say = (from: string, to: string, ...words: readonly string[]) =>
    lab
      .machine(from)
      .run(
        "bash",
        "-c",
        `for word in ${words.join(" ")}; do echo $word > /dev/udp/${lab.address(to)}/9; done`,
      );

  test("gives each machine a name and an address, parts them, cuts one way, and heals", async () => {
    lab = await Lab.open("ann", "ben", "cleo");
    expect((await lab.machine("ben").run("hostname")).trim()).toBe("ben");
    const [ann, ben, cleo] = [await hearing("ann"), await hearing("ben"), await hearing("cleo")];
    await say("ann", "ben", "one");
    await vi.waitFor(() => expect(ben).toEqual(["one"]), patient);
    await lab.partition(["ann"], ["ben", "cleo"]);
    await say("ann", "ben", "lost");
    await say("cleo", "ben", "near");
    await vi.waitFor(() => expect(ben).toEqual(["one", "near"]), patient);
    await lab.heal();
    await lab.cut("ann", "cleo");
    await say("ann", "cleo", "lost");
    await say("cleo", "ann", "back");
    await vi.waitFor(() => expect(ann).toEqual(["back"]), patient);
    await lab.heal();
    await say("ann", "cleo", "whole");
    await vi.waitFor(() => expect(cleo).toEqual(["whole"]), patient);
    expect(ben).toEqual(["one", "near"]);
  });

  test("loses a share of what passes, delays it, and parts machines behind such lines too", async () => {
    lab = await Lab.open("ann", "ben");
    const ben = await hearing("ben");
    await lab.shape("ann", { rate: "100mbit", delayMs: 20, lossPercent: 33 });
    const words = Array.from({ length: 300 }, (_, i) => `w${i}`);
    // While the kernel asks for the address it keeps few words.
    await vi.waitFor(async () => {
      await say("ann", "ben", "warm");
      expect(ben).toContain("warm");
    }, patient);
    // Few at a time: what is not read at once waits in a buffer that holds some hundred.
    for (let from = 0; from < words.length; from += 50) {
      await say("ann", "ben", ...words.slice(from, from + 50));
      await vi.waitFor(async () => {
        await say("ann", "ben", `end${from}`);
        expect(ben).toContain(`end${from}`);
      }, patient);
    }
    const arrived = words.filter((word) => ben.includes(word)).length;
    expect(arrived).toBeGreaterThan(100);
    expect(arrived).toBeLessThan(280);
    await lab.partition(["ann"], ["ben"]);
    await lab.machine("ann").ip("neigh flush dev eth0");
    await say("ann", "ben", "parted");
    // Until then the kernel keeps it, and would send it on.
    await vi.waitFor(
      async () =>
        expect(await lab.machine("ann").run("ip", "neigh", "show", lab.address("ben"))).toMatch(/FAILED/),
      patient,
    );
    await lab.heal();
    await lab.shape("ann", {});
    await say("ann", "ben", "clear");
    await vi.waitFor(() => expect(ben).toContain("clear"), patient);
    expect(ben).not.toContain("parted");
  });

  test("two labs with the same names do not meet", async () => {
    lab = await Lab.open("ann", "ben");
    const other = await Lab.open("ann", "ben");
    try {
      const ben = await hearing("ben");
      await other.machine("ann").run("bash", "-c", `echo astray > /dev/udp/${other.address("ben")}/9`);
      await say("ann", "ben", "home");
      await vi.waitFor(() => expect(ben).toEqual(["home"]), patient);
    } finally {
      await other.close();
    }
  });

  test("a lab whose owner is killed leaves no process", async () => {
    const file = path.join(import.meta.dirname, "lab.ts");
    const marker = `${600_000 + process.pid}.25`;
    const owner: ChildProcess = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { Lab } from ${JSON.stringify(file)};
         const lab = await Lab.open("ann");
         lab.machine("ann").start("setsid", "sleep", "${marker}");
         console.log("open");`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const sleepers = () => pgrep("-f", `^sleep ${marker.replace(".", "\\.")}$`);
    await once(owner.stdout!, "data");
    await vi.waitFor(async () => expect(await sleepers()).toHaveLength(1), patient);
    owner.kill("SIGKILL");
    await vi.waitFor(async () => expect(await sleepers()).toEqual([]), patient);
  });
});

async function pgrep(...args: readonly string[]): Promise<string[]> {
  const finding = spawn("pgrep", args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  finding.stdout.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  await once(finding, "close");
  return text.split("\n").filter(Boolean);
}
