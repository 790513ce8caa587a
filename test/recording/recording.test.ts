/** Recordings of builds: what they answer is what the daemon answers, and whatever is not as it was written is refused with the reason. */
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { verifyRecording } from "../../cli/verify-recorded.ts";
import { stepsOf } from "../../node/gateway/steps.ts";
import { Film } from "../../node/gateway/web/replay/film.ts";
import { Recorder } from "../../node/recorder.ts";
import type { Section } from "../../node/recording/container.ts";
import type { Head } from "../../node/recording/contents.ts";
import { Recording } from "../../node/recording/recording.ts";
import { viewsOf } from "../../node/recording/views.ts";
import { traceOf } from "../../node/trace.ts";
import { version } from "../../node/version.ts";
import { courseOf } from "../../protocol/explain/course.ts";
import type { ActionName, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { type Entry, readEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { IdSum } from "../../protocol/timeline/sum.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { Cores } from "../core/cores.ts";
import { blob, graphOf } from "../work/facts.ts";
import { accountsIn, bytesOf, failedLog, opened, readings, sectionsBy, sourceOf, story } from "./made.ts";

const { cores, build, before } = story();
const { accounts, queries } = accountsIn(cores, cores.node("ann"));
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const good = await bytesOf(sectionsBy(cores, "ann", build));
const sections = await Array.fromAsync(sectionsBy(cores, "ann", build));
const signal = new AbortController().signal;

/** The code of the refusal, and what it says. */
async function refused(bytes: Uint8Array, options = {}): Promise<{ code: string; message: string }> {
  try {
    await opened(bytes, options);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
  throw new Error("it was taken");
}

const altered = (change: (section: Section) => Section) => bytesOf(sections.map(change));

test("a build of the very plan of an earlier one, as a retry is, opens as any", async () => {
  const swarm = new Cores({ ann: {}, bob: {} });
  const [first, second] = [0, 1].map(() => {
    const one = swarm.submit("ann", graphOf({ a: [] }));
    swarm.finish(one);
    swarm.runFor(1000);
    return one;
  });
  const recording = await opened(await bytesOf(sectionsBy(swarm, "ann", second!)));
  expect(recording.build).toBe(second);
  expect(recording.left).toEqual([]);
  expect((await viewsOf(recording).builds()).map(({ build: id }) => id).sort()).toEqual(
    [first, second].sort(),
  );
});

test("it answers as the node that made it: why, autopsy, critical path, replay, actions, members", async () => {
  const views = viewsOf(await opened(good));
  for (const action of ["a", "b", "c", "d"] as ActionName[])
    expect(plain(await views.why(build, action))).toEqual(plain(await accounts.why(build, action)));
  const autopsy = await views.autopsy(build);
  expect(plain(autopsy)).toEqual(plain(await accounts.autopsy(build)));
  expect(autopsy.failures.map(({ action }) => action)).toEqual(["c"]);
  const request = { build, steps: false };
  expect(plain(await Array.fromAsync(views.replay(request, signal)))).toEqual(
    plain(await Array.fromAsync(accounts.replay(request))),
  );
  const steps = { build, steps: true };
  expect(plain(await Array.fromAsync(views.replay(steps, signal)))).toEqual(
    plain(await Array.fromAsync(accounts.replay(steps))),
  );
  expect(plain((await views.build(build)).actionViews)).toEqual(
    plain(queries.view(queries.find(build)).actionViews),
  );
  expect((await views.criticalPath(build)).fact).toEqual((await accounts.criticalPath(build)).fact);
  expect((await views.builds()).map((one) => one.build)).toEqual([build, before]);
  expect(plain((await views.members()).members.map(({ name, roles }) => ({ name, roles })))).toEqual(
    plain(queries.members().members.map(({ name, roles }) => ({ name, roles }))),
  );
});

test("the timeline, logs and artifacts of it are there; what a file cannot know is refused in words", async () => {
  const views = viewsOf(await opened(good));
  const lines = await Array.fromAsync(views.timeline({ build, follow: false }, signal));
  expect(lines.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["build.submitted", "claim", "fail", "sealed"]),
  );
  const all = await Array.fromAsync(views.timeline({ follow: false, kinds: ["swarm.founded"] }, signal));
  expect(all).toHaveLength(1);
  const chunks = await Array.fromAsync(views.logs({ subject: { build }, follow: false }, signal));
  expect(chunks.map(({ node }) => node)).toEqual(["ann", "bob"]);
  expect(chunks[0]).toMatchObject({ action: "c", stream: "stderr", text: failedLog.toString() });
  expect(await views.artifact(blob(failedLog.toString()))).toMatchObject({ hereBytes: failedLog.length });
  await expect(views.artifact("0".repeat(64))).rejects.toMatchObject({ code: "not-found" });
  expect(() => views.holders(blob("x"))).toThrow(expect.objectContaining({ code: "not-found" }));
});

test("SQL over it answers, and leaves nothing behind once it is closed", async () => {
  const dir = await mkdtemp(path.join(tmpdir(), "swarmd-tables-"));
  vi.stubEnv("TMPDIR", dir);
  try {
    const recording = await opened(good);
    const views = viewsOf(recording);
    const { rows } = await views.sqlQuery("select action, state from attempts order by action, attempt");
    expect(rows).toContainEqual(["a", "done"]);
    expect(rows).toContainEqual(["c", "failed"]);
    expect(() => views.wireStats()).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(await readdir(dir)).toHaveLength(1);
    await recording.close();
    expect(await readdir(dir)).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
    await rm(dir, { recursive: true, force: true });
  }
});

test("traces of it are those of the node that made it", async () => {
  const views = viewsOf(await opened(good));
  const text = async (bytes: AsyncIterable<Uint8Array>) =>
    Buffer.concat(await Array.fromAsync(bytes)).toString();
  const own = { desk: cores.node("ann").core.desk, accounts, queries, readings: { async *between() {} } };
  for (const format of ["chrome", "otlp"] as const)
    expect(await text(views.traceBuild({ build, format }))).toBe(await text(traceOf({ build, format }, own)));
});

test("it says whose word it is; another root than the one asked for is refused", async () => {
  const { trust, left } = await opened(good);
  const root = fakePeer("root");
  expect(trust).toMatchObject({ by: fakePeer("ann"), node: "ann", root, swarmName: "hand", former: false });
  expect(left).toEqual([]);
  await opened(good, { root });
  await opened(good, { root: trust.swarm });
  expect(await refused(good, { root: fakePeer("another") })).toMatchObject({ code: "wrong-swarm" });
});

test("readings in it show how nodes were at a moment", async () => {
  const [said] = readings;
  const submittedMs = queries.find(build).submission!.wallMs;
  const bytes = await bytesOf(
    sectionsBy(cores, "ann", build, { readings: [{ ...said!, atMs: submittedMs + 5 }] }),
  );
  const views = viewsOf(await opened(bytes));
  const [at] = await Array.fromAsync(views.replay({ build, steps: false, atMs: submittedMs + 20 }, signal));
  expect(at).toMatchObject({
    nodes: expect.arrayContaining([
      expect.objectContaining({
        node: "ann",
        load: 0.5,
        temperatureCelsius: 71,
        headroomCelsius: 14,
        slots: 1,
        limitedBy: "hot",
        readMsAgo: 15,
      }),
    ]),
  });
  const { nodes } = await views.readings(build);
  expect(nodes.ann).toMatchObject([{ atMs: submittedMs + 5, load: 0.5, temperatureCelsius: 71 }]);
});

test("a page replays it by the reads of any gateway", async () => {
  const views = viewsOf(await opened(good));
  const from = await stepsOf(views, build);
  const film = new Film(from, (await views.build(build)).actionViews);
  film.seek(from.steps.length);
  expect(film.live.counts()).toEqual((await views.build(build)).counts);
  expect([...from.actions].sort()).toEqual(film.live.actions.map(({ name }) => name).sort());
  expect((await views.decisions({ build, offset: 0, limit: 9 })).total).toBeGreaterThan(0);
});

test("logs come along as asked for, and what is not to be had is named", async () => {
  const none = await opened(await bytesOf(sectionsBy(cores, "ann", build, { logs: "none" })));
  expect(none.has(blob(failedLog.toString()))).toBe(false);
  const views = viewsOf(none);
  const [chunk] = await Array.fromAsync(views.logs({ subject: { build }, follow: false }, signal));
  expect(chunk!.text).toContain("this log is not in the recording");
});

test("the stretches of the node's life that come along are those that began before the build ended, and the others are not told as its own", async () => {
  const dir = await mkdtemp(path.join(tmpdir(), "swarmd-tapes-"));
  try {
    const { core, peer } = cores.node("ann");
    const { submittedMs, lastMs } = courseOf(queries.find(build))!;
    const stretchOf = async (inc: string, fromMs: number, writtenMs: number) => {
      const stretch = { program: version, node: "ann", peer, inc: inc as Incarnation };
      const recorder = new Recorder({ dir, bytesMax: 1 << 28, core, stretch, log: { warn: () => {} } });
      recorder.begin(fromMs);
      recorder.stepped({ kind: "tick" }, { monoMs: 0, wallMs: fromMs }, []);
      await recorder.close();
      const file = `${inc}-000001.tape`;
      await utimes(path.join(dir, file), writtenMs / 1000, writtenMs / 1000);
      return file;
    };
    await stretchOf("1-00000001", submittedMs - 9000, submittedMs - 5000);
    const during = await stretchOf("2-00000002", submittedMs - 1000, lastMs - 1);
    await stretchOf("3-00000003", lastMs + 1000, lastMs + 60_000);
    // Of files that were copied none says when it was written first.
    const copied = await stretchOf("4-00000004", lastMs - 1, lastMs + 70_000);
    await writeFile(path.join(dir, "torn.tape"), Buffer.alloc(7));
    const recording = await opened(await bytesOf(sectionsBy(cores, "ann", build, { recordings: dir })));
    expect(recording.stretches()).toEqual([during, copied]);
    expect(recording.left).toMatchObject([{ what: "the recording torn.tape", why: expect.any(String) }]);
    const span = { fromMs: submittedMs, toMs: lastMs };
    expect((await verifyRecording(recording, span)).stretches.map(({ name }) => name)).toEqual([
      during,
      copied,
    ]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a build that still goes on is told as far as it went, and what is past waits for nobody", async () => {
  const hands = new Cores(
    { ann: { slots: 1 } },
    { run: ({ action }) => ({ ms: 50, never: action === "b" }) },
  );
  const open = hands.submit("ann", graphOf({ a: [], b: ["a"], c: ["a"], d: ["b", "c"] }));
  hands.runFor(2000);
  const views = viewsOf(await opened(await bytesOf(sectionsBy(hands, "ann", open))));
  expect(await views.builds()).toMatchObject([
    { build: open, state: "running", counts: { done: 1, waiting: 1 } },
  ]);
  for (const action of ["b", "c", "d"] as ActionName[]) {
    const { waited, state } = await views.why(open, action);
    expect(`${state}: ${waited.text}`).not.toContain("unknown");
  }
  expect(await views.criticalPath(open)).toMatchObject({ noForecast: "no living node takes work" });
  expect(await Array.fromAsync(views.logs({ subject: { build: open }, follow: true }, signal))).toEqual([]);
  const lines = await Array.fromAsync(views.traceBuild({ build: open, format: "otlp" }));
  expect(Buffer.concat(lines).toString()).toContain(`"name":"b attempt 1"`);
});

test("any single bit that is another is found, and the section is named", async () => {
  const codes = new Map<string, number>();
  for (let at = 0; at < good.length; at += 3) {
    const bytes = Buffer.from(good);
    bytes[at]! ^= 1 << (at % 8);
    const { code } = await refused(bytes);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect([...codes.keys()].sort()).toEqual(
    expect.arrayContaining(["blob-corrupt", "malformed", "unauthentic"]),
  );
  const middle = Buffer.from(good);
  middle[good.length >> 1]! ^= 1;
  expect((await refused(middle)).message).toMatch(/section [0-9]+, which begins at byte [0-9]+/);
});

test("torn off anywhere, or longer than its seal says, it is refused", async () => {
  for (const end of [0, 5, 19, 30, 100, good.length >> 1, good.length - 1]) {
    const { code, message } = await refused(good.subarray(0, end));
    expect(code).toBe("malformed");
    expect(message).toMatch(end === 0 ? /no recording/ : /torn off|without its seal/);
  }
  expect(await refused(Buffer.concat([good, Buffer.from("x")]))).toMatchObject({
    message: expect.stringContaining("goes on for 1 bytes behind its seal"),
  });
  expect(await refused(Buffer.from("PK\x03\x04 a zip, rather"))).toMatchObject({ code: "malformed" });
  expect(
    await refused(Buffer.from(good.toString("latin1").replace("recording 1", "recording 2"), "latin1")),
  ).toMatchObject({
    code: "version-unknown",
  });
});

test("sealed by a stranger, or in another's name, it is refused", async () => {
  expect(await refused(await bytesOf(sections, fakePeer("bob")))).toMatchObject({
    code: "unauthentic",
    message: expect.stringContaining("sealed by"),
  });
  const mallory = fakePeer("mallory");
  const theirs = await bytesOf(
    sections.map((one) =>
      one.kind === "head" ? { ...one, body: { ...(one.body as object), by: mallory } } : one,
    ),
    mallory,
  );
  expect(await refused(theirs)).toMatchObject({
    code: "unauthentic",
    message: expect.stringContaining("never was a member"),
  });
});

test("what the head counts must be there, and every word signed by who said it", async () => {
  const words = sections.filter(({ kind }) => kind === "entries");
  const own = words.find(({ body }) =>
    (body as Uint8Array[]).some((bytes) => readEntry(bytes).entry.build === build),
  )!;
  const less = await altered((one) =>
    one === own ? { ...one, body: (one.body as unknown[]).slice(1) } : one,
  );
  expect(await refused(less)).toMatchObject({
    code: "malformed",
    message: expect.stringContaining("says that it has"),
  });
  const forged = await altered((one) => {
    if (one !== own) return one;
    const [first, ...rest] = (one.body as Uint8Array[]).map(readEntry);
    const { entry } = first!;
    const { body, id } = sealEntry({ ...entry, hlc: [entry.hlc[0] + 1, 0] });
    return { ...one, body: [signedEntry(entry, body, id, first!.sig), ...rest].map(({ bytes }) => bytes) };
  });
  expect(await refused(forged)).toMatchObject({
    code: "unauthentic",
    message: expect.stringContaining("did not sign"),
  });
});

test("words that are missing between others are named, though the head says nothing of them", async () => {
  const said = cores.node("ann").build(build).facts();
  const gone = said.find(
    ({ entry }, at) =>
      entry.last >= 0 &&
      said
        .slice(at + 1)
        .some(
          ({ entry: later }) =>
            later.author === entry.author && later.inc === entry.inc && later.last === entry.seq,
        ),
  )!;
  const sum = new IdSum();
  for (const one of said) if (one !== gone) sum.mix(one.id);
  const bytes = await altered((one) => {
    if (one.kind === "entries")
      return { ...one, body: (one.body as Uint8Array[]).filter((each) => readEntry(each).id !== gone.id) };
    if (one.kind !== "head") return one;
    const head = one.body as Head;
    const builds = head.builds.map((each) =>
      each.build === build ? { build, entries: each.entries - 1, sum: sum.text() } : each,
    );
    return { ...one, body: { ...head, builds } };
  });
  const { left } = await opened(bytes);
  expect(left).toMatchObject([
    { what: expect.stringContaining("words of"), why: expect.stringContaining("gap") },
  ]);
});

test("words of another swarm in it, and of strangers, are refused as such", async () => {
  const [first] = cores.node("ann").build(build).facts();
  const saidBy = (author: PeerId, change: Partial<Entry>): Section => {
    const entry = { ...first!.entry, author, ...change };
    const { body, id } = sealEntry(entry);
    return { kind: "entries", body: [signedEntry(entry, body, id, fakeSigner(author).sign(id)).bytes] };
  };
  const foreign = saidBy(first!.entry.author, { swarm: "5".repeat(64) as Entry["swarm"] });
  expect(await refused(await bytesOf([...sections, foreign]))).toMatchObject({ code: "wrong-swarm" });
  expect(await refused(await bytesOf([...sections, saidBy(fakePeer("mallory"), {})]))).toMatchObject({
    code: "unauthentic",
    message: expect.stringContaining("never was a member"),
  });
});

test("blobs that are not what their names say, and sections that say something else, are refused", async () => {
  const wrong = await altered((one) =>
    one.kind === "blob"
      ? { ...one, body: { ...(one.body as object), bytes: new Uint8Array([1, 2, 3]) } }
      : one,
  );
  expect((await refused(wrong)).code).toBe("blob-corrupt");
  const lacking = await bytesOf(sections.filter(({ kind }) => kind !== "blob"));
  expect(await refused(lacking)).toMatchObject({ message: expect.stringContaining("lacks the plan") });
  const odd = await bytesOf([...sections, { kind: "runs", body: [["no build"]] }]);
  expect((await refused(odd)).message).toContain("does not say what it should");
  expect((await refused(await bytesOf(sections.slice(1)))).message).toContain("does not begin with its head");
});

test("a file that would open to more than it may is refused before it is opened", async () => {
  const huge = { ...sourceOf(good), bytes: 5 * 2 ** 30 };
  await expect(Recording.over(huge)).rejects.toMatchObject({ code: "too-large" });
  const bomb = Buffer.from(good);
  // The head of the first section says that it opens to 4 GB.
  bomb.writeUInt32BE(0xffffffff, "swarmd recording 1\n".length + 5);
  expect(await refused(bomb)).toMatchObject({
    code: "malformed",
    message: expect.stringContaining("section 1"),
  });
});

test("a section that opens to more than it says is refused, and takes no more memory than it said", async () => {
  const zeros = await bytesOf([
    ...sections,
    { kind: "blob", body: { digest: blob("0"), at: 0, bytes: new Uint8Array(3 << 20) } },
  ]);
  expect(zeros.length - good.length).toBeLessThan(10_000);
  expect((await refused(zeros)).code).toBe("blob-corrupt");
});
