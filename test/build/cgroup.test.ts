/** On plain files in place of the kernel's: which groups are taken, and what is written where. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openActionGroup } from "../../node/build/cgroup.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "swarmd-cgroup-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const unit = "/system.slice/swarmd.service";
const file = (name: string) => path.join(root, "sys/fs/cgroup", unit, name);
const put = (name: string, text = "") => {
  mkdirSync(path.dirname(name), { recursive: true });
  writeFileSync(name, text);
};

/** The group of a unit as systemd hands it over, with these controllers' files in the group of actions. */
function unitWith(controllers: readonly string[], at: string = unit) {
  put(path.join(root, "proc/self/cgroup"), `0::${at}\n`);
  put(file("cgroup.procs"), "7\n9\n");
  for (const name of ["cgroup.subtree_control", "daemon/cgroup.procs", "actions/cgroup.procs"])
    put(file(name));
  for (const name of controllers) put(file(`actions/${name}`));
}

const limits = { cpus: 3, memoryBytesMax: 2 ** 30 };

test("the daemon moves aside, and actions get a group with their limits", () => {
  unitWith(["cpu.max", "memory.max"]);
  const group = openActionGroup(limits, root)!;
  expect(group.keeps).toEqual({ cpus: true, memory: true });
  expect(readFileSync(file("actions/cpu.max"), "utf8")).toBe("300000 100000");
  expect(readFileSync(file("actions/memory.max"), "utf8")).toBe(String(2 ** 30));
  expect(readFileSync(file("daemon/cgroup.procs"), "utf8")).toBe("9");
  const entered = execFileSync("sh", ["-c", `${group.enter}; echo $$`], { encoding: "utf8" });
  expect(readFileSync(file("actions/cgroup.procs"), "utf8")).toBe(entered);
});

test("what actions hold together is told without files that could be read again", () => {
  unitWith(["cpu.max", "memory.max"]);
  const group = openActionGroup(limits, root)!;
  expect(group.heldBytes()).toBe(0);
  put(file("actions/memory.stat"), "anon 4096\nfile 900000\nkernel 70\nshmem 1000\nanon_thp 2048\n");
  expect(group.heldBytes()).toBe(5096);
});

test("a second start in the same process finds the same group", () => {
  unitWith(["cpu.max", "memory.max"], `${unit}/daemon`);
  expect(openActionGroup(limits, root)?.keeps).toEqual({ cpus: true, memory: true });
});

test("what the kernel was not told to keep is not said to be kept", () => {
  unitWith(["memory.max"]);
  expect(openActionGroup(limits, root)?.keeps).toEqual({ cpus: false, memory: true });
});

test.each([
  ["of a session, in which others live too", "0::/user.slice/user-1000.slice/session-2.scope\n"],
  ["of the older kind", "4:memory:/x.service\n1:name=systemd:/x.service\n"],
  ["that is none", ""],
  ["that leads out", "0::/../../x.service\n"],
  ["that cannot be written", "0::/gone\0.service\n"],
])("a group %s is left alone", (_, text) => {
  put(path.join(root, "proc/self/cgroup"), text);
  expect(openActionGroup(limits, root)).toBeUndefined();
});

test("a unit whose controllers were not handed down gives no group", () => {
  unitWith([]);
  expect(openActionGroup(limits, root)).toBeUndefined();
});
