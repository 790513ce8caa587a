/** What is said of members that run different versions. */
import { expect, test } from "vitest";
import { skewText } from "../../cli/versions.ts";
import type { NodeView } from "../../node/control/api.ts";
import { version as installed, partsOf } from "../../node/version.ts";
import { MemoryControl } from "../control/memory.ts";
import { nodeView } from "../control/nodes.ts";
import { Terminal } from "./terminal.ts";

const member = (name: string, version: string | null, state: NodeView["state"] = "alive"): NodeView => {
  const view = nodeView(name, 1, []);
  return { ...view, state, vitals: null, ...(version === null ? {} : { version }) };
};

test("all on one version, or nobody heard yet: nothing is said", () => {
  expect(skewText([member("ann", "0.2.0", "self"), member("bob", "0.2.0")])).toBeUndefined();
  expect(skewText([member("ann", null, "self"), member("bob", null, "unseen")])).toBeUndefined();
});

test("several versions: who runs which, the newest first by number, and that all are to be brought to it", () => {
  const nodes = [member("ann", "0.9.0", "self"), member("bob", "0.10.0+0123456789"), member("cy", "0.9.0")];
  expect(skewText(nodes)).toBe(
    "2 versions run here: 0.10.0+0123456789 on bob; 0.9.0 on ann, cy; bring all to 0.10.0: install it there, then restart the daemon",
  );
});

test("one number of several commits is named as such", () => {
  const nodes = [member("ann", "0.9.0+0123456789", "self"), member("bob", "0.9.0+abcdef0123")];
  expect(skewText(nodes)).toContain("bring all to one commit");
});

test("a package that knows no commit may be of the same as a clone: that is no skew, several commits are", () => {
  const [ann, bob, cy] = [
    member("ann", "0.9.0", "self"),
    member("bob", "0.9.0+abcdef0123"),
    member("cy", "0.9.0+0123456789"),
  ];
  expect(skewText([ann, bob])).toBeUndefined();
  expect(skewText([ann, bob, cy])).toContain("3 versions run here");
});

test("who is away, or does not make itself understood, counts by what it said when it connected", () => {
  expect(skewText([member("ann", "0.9.0", "self"), member("bob", "0.8.0", "dead")])).toContain(
    "0.8.0 on bob",
  );
});

test("a version has a number and perhaps a commit", () => {
  expect(partsOf("0.1.0")).toEqual({ number: "0.1.0" });
  expect(partsOf("0.1.0+0123456789")).toEqual({ number: "0.1.0", commit: "0123456789" });
});

class Mixed extends MemoryControl {
  override async nodes() {
    return [member("ann", "0.1.0", "self"), member("bob", "0.2.0+0123456789"), member("cy", null, "unseen")];
  }
}

test("swarmd version lists what each member runs, and says that the daemon is not what is installed", async () => {
  const terminal = await Terminal.open();
  try {
    await terminal.serve(new Mixed());
    const lines = (await terminal.good("version")).split("\n");
    expect(lines[0]).toBe(`swarmd ${installed} (node ${process.versions.node})`);
    expect(lines.slice(2, 6).map((line) => line.split(/ +/))).toEqual([
      ["NODE", "STATE", "VERSION", "COMMIT"],
      ["ann", "self", "0.1.0", "-"],
      ["bob", "alive", "0.2.0", "0123456789"],
      ["cy", "unseen", "-", "-"],
    ]);
    expect(lines.join("\n")).toContain(
      "2 versions run here: 0.2.0+0123456789 on bob; 0.1.0 on ann; bring all to 0.2.0",
    );
    expect(JSON.parse(await terminal.good("version", "--json"))).toMatchObject({
      daemon: "0.1.0",
      members: [
        { name: "ann", state: "self", version: "0.1.0", commit: null },
        { name: "bob", state: "alive", version: "0.2.0", commit: "0123456789" },
        { name: "cy", state: "unseen", version: null, commit: null },
      ],
    });
    // The daemon is not asked.
    expect(await terminal.good("--version")).toBe(`${lines[0]}\n`);
  } finally {
    await terminal.close();
  }
});
