/** Which commands there are, by what they are for, in the order in which a newcomer meets them. */
import type { Command } from "./command.ts";

interface Chapter {
  readonly title: string;
  /** By name: each is read only where it is meant, for reading them all takes longer than most of them run. */
  readonly commands: Readonly<Record<string, () => Promise<Command>>>;
}

export const chapters: readonly Chapter[] = [
  {
    title: "Each day",
    commands: {
      status: async () => (await import("./commands/status.ts")).status,
      next: async () => (await import("./commands/next.ts")).next,
      monitor: async () => (await import("./commands/monitor.ts")).monitor,
      open: async () => (await import("./commands/open.ts")).open,
    },
  },
  {
    title: "A build",
    commands: {
      plan: async () => (await import("./commands/plan.ts")).plan,
      submit: async () => (await import("./commands/submit.ts")).submit,
      watch: async () => (await import("./commands/watch.ts")).watch,
      logs: async () => (await import("./commands/logs.ts")).logs,
      fetch: async () => (await import("./commands/fetch.ts")).fetch,
      history: async () => (await import("./commands/history.ts")).history,
      cancel: async () => (await import("./commands/cancel.ts")).cancel,
      queue: async () => (await import("./commands/queue.ts")).queue,
      retry: async () => (await import("./commands/retry.ts")).retry,
      "retry-failures": async () => (await import("./commands/retry.ts")).retryFailures,
      unblock: async () => (await import("./commands/retry.ts")).unblock,
      "clear-failures": async () => (await import("./commands/retry.ts")).clearFailures,
      rebalance: async () => (await import("./commands/rebalance.ts")).rebalance,
      reset: async () => (await import("./commands/reset.ts")).reset,
    },
  },
  {
    title: "Why",
    commands: {
      why: async () => (await import("./commands/why.ts")).why,
      "critical-path": async () => (await import("./commands/critical-path.ts")).criticalPath,
      autopsy: async () => (await import("./commands/autopsy.ts")).autopsy,
      "fix-blocked": async () => (await import("./commands/fix-blocked.ts")).fixBlocked,
      replay: async () => (await import("./commands/replay.ts")).replay,
      timeline: async () => (await import("./commands/timeline.ts")).timeline,
      stats: async () => (await import("./commands/stats.ts")).stats,
      sql: async () => (await import("./commands/sql.ts")).sql,
      export: async () => (await import("./commands/export.ts")).exportBuild,
    },
  },
  {
    title: "Look closer",
    commands: {
      pause: async () => (await import("./commands/pause.ts")).pause,
      resume: async () => (await import("./commands/resume.ts")).resume,
      step: async () => (await import("./commands/step.ts")).step,
      breakpoint: async () => (await import("./commands/breakpoint.ts")).breakpoint,
      preview: async () => (await import("./commands/preview.ts")).preview,
      place: async () => (await import("./commands/place.ts")).place,
      shell: async () => (await import("./commands/shell.ts")).shell,
      "rebuild-check": async () => (await import("./commands/rebuild-check.ts")).rebuildCheck,
      wire: async () => (await import("./commands/wire.ts")).wire,
    },
  },
  {
    title: "Artifacts and releases",
    commands: {
      artifact: async () => (await import("./commands/artifact.ts")).artifact,
      attest: async () => (await import("./commands/attest.ts")).attest,
      verify: async () => (await import("./commands/verify.ts")).verify,
      staging: async () => (await import("./commands/staging.ts")).staging,
      release: async () => (await import("./commands/release.ts")).release,
      finalize: async () => (await import("./commands/finalize.ts")).finalize,
      releases: async () => (await import("./commands/releases.ts")).releases,
      rollback: async () => (await import("./commands/rollback.ts")).rollback,
      taint: async () => (await import("./commands/taint.ts")).taint,
      mirror: async () => (await import("./commands/mirror.ts")).mirror,
    },
  },
  {
    title: "The swarm",
    commands: {
      init: async () => (await import("./commands/init.ts")).init,
      invite: async () => (await import("./commands/invite.ts")).invite,
      join: async () => (await import("./commands/join.ts")).join,
      approve: async () => (await import("./commands/approve.ts")).approve,
      deny: async () => (await import("./commands/approve.ts")).deny,
      member: async () => (await import("./commands/member.ts")).member,
      node: async () => (await import("./commands/node.ts")).node,
      drain: async () => (await import("./commands/drain.ts")).drain,
      unground: async () => (await import("./commands/unground.ts")).unground,
      leave: async () => (await import("./commands/leave.ts")).leave,
    },
  },
  {
    title: "This node",
    commands: {
      run: async () => (await import("./commands/run.ts")).run,
      stop: async () => (await import("./commands/stop.ts")).stop,
      service: async () => (await import("./commands/service.ts")).service,
      config: async () => (await import("./commands/config.ts")).config,
      secret: async () => (await import("./commands/secret.ts")).secret,
      cockpit: async () => (await import("./commands/cockpit.ts")).cockpit,
      doctor: async () => (await import("./commands/doctor.ts")).doctor,
      gc: async () => (await import("./commands/gc.ts")).gc,
    },
  },
  {
    title: "Try and help",
    commands: {
      sim: async () => (await import("./commands/sim.ts")).sim,
      demo: async () => (await import("./commands/demo.ts")).demo,
      version: async () => (await import("./commands/version.ts")).version,
      help: async () => (await import("./commands/help.ts")).help,
    },
  },
];

const loaders = new Map(chapters.flatMap(({ commands }) => Object.entries(commands)));

export const commandNames: readonly string[] = [...loaders.keys()];

/** Undefined for a word that is no command's name. */
export const commandNamed = async (name: string | undefined): Promise<Command | undefined> =>
  name === undefined ? undefined : loaders.get(name)?.();
