/** A build as a trace of OpenTelemetry: a span for it, for each action and each attempt, named by its semantic conventions for CI/CD; ids follow from the build. */
import { sha256Hex } from "../kernel/digest.ts";
import type { BuildId, PeerId } from "../kernel/ids.ts";
import { byText } from "../kernel/ids.ts";
import type { Build } from "../work/build.ts";
import { type Course, courseOf, type Run, readyOf, runsOf } from "./course.ts";

/** Values of the proto3 JSON mapping: 64-bit numbers are text. */
type Value =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly boolValue: boolean };
interface Attribute {
  readonly key: string;
  readonly value: Value;
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 internal. */
  readonly kind: 1;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly events?: readonly {
    readonly name: string;
    readonly timeUnixNano: string;
    readonly attributes: readonly Attribute[];
  }[];
  readonly links?: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: readonly Attribute[];
  }[];
  /** 0 unset, 2 error. */
  readonly status: { readonly code: 0 | 2; readonly message?: string };
}

/** `ExportTraceServiceRequest`, as a line of OTLP in JSON and as the body of a request. */
export interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string; readonly version: string };
      readonly spans: readonly OtlpSpan[];
      readonly schemaUrl: string;
    }[];
    readonly schemaUrl: string;
  }[];
}

export interface OtlpQuestion {
  readonly build: Build;
  readonly nameOf: (peer: PeerId) => string;
  readonly version: string;
}

/** Spans in one request; dependencies named by one span. */
const spansMax = 500;
const linksMax = 128;
const schemaUrl = "https://opentelemetry.io/schemas/1.37.0";

const text = (key: string, value: string): Attribute => ({ key, value: { stringValue: value } });
const int = (key: string, value: number): Attribute => ({
  key,
  value: { intValue: String(Math.round(value)) },
});
const real = (key: string, value: number): Attribute => ({ key, value: { doubleValue: value } });
const flag = (key: string, value: boolean): Attribute => ({ key, value: { boolValue: value } });
const nano = (ms: number): string => String(BigInt(Math.max(0, Math.round(ms * 1000))) * 1000n);

/** The trace of a build: 32 hex digits, the same at every export and on every node. */
export const traceIdOf = (build: BuildId): string => sha256Hex(`swarmd trace ${build}`).slice(0, 32);

const spanIdOf = (build: BuildId, what: string, which: string): string =>
  sha256Hex(`swarmd span ${build}\n${what}\n${which}`).slice(0, 16);

/** In requests of at most 500 spans, each of one node. Its graph must be here. */
export function* otlpTraceOf(question: OtlpQuestion): Iterable<OtlpRequest> {
  const spans = new Map<PeerId, OtlpSpan[]>();
  for (const [peer, span] of spansOf(question)) {
    const own = spans.get(peer) ?? [];
    spans.set(peer, own);
    own.push(span);
    if (own.length < spansMax) continue;
    yield requestOf(question, peer, own.splice(0));
  }
  for (const [peer, own] of [...spans].sort(([a], [b]) => byText(a, b)))
    if (own.length > 0) yield requestOf(question, peer, own);
}

function requestOf({ nameOf, version }: OtlpQuestion, peer: PeerId, spans: readonly OtlpSpan[]): OtlpRequest {
  const name = nameOf(peer);
  return {
    resourceSpans: [
      {
        resource: {
          attributes: [
            text("service.name", "swarmd"),
            text("service.instance.id", peer),
            text("cicd.worker.id", peer),
            text("cicd.worker.name", name),
          ],
        },
        scopeSpans: [{ scope: { name: "swarmd", version }, spans, schemaUrl }],
        schemaUrl,
      },
    ],
  };
}

const results = { complete: "success", failed: "failure", cancelled: "cancellation" } as const;

function* spansOf({ build, nameOf }: OtlpQuestion): Iterable<readonly [PeerId, OtlpSpan]> {
  const claims = build.claims!;
  const course = courseOf(build)!;
  const { event, author } = build.submission!;
  const traceId = traceIdOf(build.id);
  const rootId = spanIdOf(build.id, "build", "");
  const state = claims.sealed?.event.state;
  yield [
    author,
    {
      traceId,
      spanId: rootId,
      name: `BUILD ${event.name}`,
      kind: 1,
      startTimeUnixNano: nano(course.submittedMs),
      endTimeUnixNano: nano(Math.max(course.submittedMs, course.sealedMs ?? course.lastMs)),
      attributes: [
        text("cicd.pipeline.name", event.name),
        text("cicd.pipeline.run.id", build.id),
        ...(state === undefined ? [] : [text("cicd.pipeline.result", results[state])]),
        int("swarmd.build.actions", event.actions),
        text("swarmd.build.submitter", nameOf(author)),
      ],
      status: state === "failed" ? { code: 2, message: "the build failed" } : { code: 0 },
    },
  ];
  for (let index = 0; index < claims.actions.size; index++) {
    const runs = runsOf(build, course, index);
    const action = actionSpan({ build, nameOf, course, index, runs, traceId, rootId });
    if (!action) continue;
    yield action;
    for (const run of runs) yield [run.claim.holder, attemptSpan(build, nameOf, course, run, traceId)];
  }
}

function actionSpan(of: {
  readonly build: Build;
  readonly nameOf: OtlpQuestion["nameOf"];
  readonly course: Course;
  readonly index: number;
  readonly runs: readonly Run[];
  readonly traceId: string;
  readonly rootId: string;
}): readonly [PeerId, OtlpSpan] | undefined {
  const { build, nameOf, course, index, runs, traceId, rootId } = of;
  const claims = build.claims!;
  const { name, group } = claims.action(index);
  const found = course.cached.get(index);
  const ready = readyOf(build, course, index);
  if (!ready || (runs.length === 0 && !found)) return undefined;
  const doneMs = course.doneMs[index]!;
  const endMs = Number.isNaN(doneMs)
    ? Math.max(ready.atMs, ...runs.map(({ endedMs, claimedMs }) => endedMs ?? claimedMs))
    : doneMs;
  const state = claims.actions.get(index);
  const failed = state === "blocked";
  const worker = runs.find(({ claim }) => claim.done)?.claim.holder ?? runs.at(-1)?.claim.holder ?? found!.by;
  const dependencies = claims.dependencies[index]!.slice(0, linksMax);
  return [
    worker,
    {
      traceId,
      spanId: spanIdOf(build.id, "action", name),
      parentSpanId: rootId,
      name,
      kind: 1,
      startTimeUnixNano: nano(Math.min(ready.atMs, endMs)),
      endTimeUnixNano: nano(endMs),
      attributes: [
        text("cicd.pipeline.task.name", name),
        text("cicd.pipeline.task.run.id", `${build.id}/${name}`),
        text(
          "cicd.pipeline.task.run.result",
          state === "done" ? "success" : failed ? "failure" : state === "cancelled" ? "cancellation" : "skip",
        ),
        text("swarmd.action.group", group),
        text("swarmd.action.state", state),
        flag("swarmd.action.cached", runs.every(({ claim }) => !claim.done) && found !== undefined),
        int("swarmd.action.attempts", runs.length),
        text("swarmd.node.name", nameOf(worker)),
      ],
      ...(dependencies.length === 0
        ? {}
        : {
            links: dependencies.map((d) => ({
              traceId,
              spanId: spanIdOf(build.id, "action", claims.action(d).name),
              attributes: [text("swarmd.link", "depends on")],
            })),
          }),
      status: failed ? { code: 2, message: runs.at(-1)?.claim.fail?.reason ?? "it failed" } : { code: 0 },
    },
  ];
}

function attemptSpan(
  { id, claims }: Build,
  nameOf: OtlpQuestion["nameOf"],
  course: Course,
  { claim, claimedMs, startedMs, endedMs, usage }: Run,
  traceId: string,
): OtlpSpan {
  const { name } = claims!.action(claim.action);
  const { fail, why } = claim;
  const message = fail?.reason ?? claim.abandoned ?? claim.expired;
  return {
    traceId,
    spanId: spanIdOf(id, "attempt", claim.id),
    parentSpanId: spanIdOf(id, "action", name),
    name: `${name} attempt ${claim.attempt}`,
    kind: 1,
    startTimeUnixNano: nano(claimedMs),
    endTimeUnixNano: nano(Math.max(claimedMs, endedMs ?? course.lastMs)),
    attributes: [
      text("cicd.pipeline.task.name", name),
      int("swarmd.attempt", claim.attempt),
      text("swarmd.claim", claim.id),
      text("swarmd.action.key", claim.key),
      text("swarmd.node.name", nameOf(claim.holder)),
      text("swarmd.steward.name", nameOf(claim.steward)),
      flag("swarmd.twin", claim.twin),
      ...(fail?.exitCode === undefined ? [] : [int("process.exit.code", fail.exitCode)]),
      ...(fail ? [text("error.type", fail.signal ?? fail.cause)] : []),
      ...(usage
        ? [
            int("swarmd.usage.fetch_ms", usage.fetchMs),
            int("swarmd.usage.wall_ms", usage.wallMs),
            int("swarmd.usage.cpu_ms", usage.cpuMs),
            int("swarmd.usage.max_rss_bytes", usage.maxRssBytes),
            int("swarmd.usage.fetched_bytes", usage.fetchedBytes),
          ]
        : []),
    ],
    events: [
      {
        name: "claim",
        timeUnixNano: nano(claimedMs),
        attributes: why
          ? [
              real("swarmd.score", why.score),
              text("swarmd.mode", why.mode ?? "unified"),
              int("swarmd.nodes.seen", why.seen),
              ...Object.entries(why.parts).map(([part, value]) => real(`swarmd.score.${part}`, value)),
            ]
          : [],
      },
      ...(startedMs === undefined ? [] : [{ name: "start", timeUnixNano: nano(startedMs), attributes: [] }]),
    ],
    status: fail ? { code: 2, message: fail.reason } : message === undefined ? { code: 0 } : { code: 0 },
  };
}
