/** Which commands there are, by what they are for, in the order in which a newcomer meets them. */
import type { Command } from "./command.ts";
import { approve, deny } from "./commands/approve.ts";
import { artifact } from "./commands/artifact.ts";
import { attest } from "./commands/attest.ts";
import { autopsy } from "./commands/autopsy.ts";
import { breakpoint } from "./commands/breakpoint.ts";
import { cancel } from "./commands/cancel.ts";
import { cockpit } from "./commands/cockpit.ts";
import { config } from "./commands/config.ts";
import { criticalPath } from "./commands/critical-path.ts";
import { demo } from "./commands/demo.ts";
import { doctor } from "./commands/doctor.ts";
import { drain } from "./commands/drain.ts";
import { exportBuild } from "./commands/export.ts";
import { fetch } from "./commands/fetch.ts";
import { finalize } from "./commands/finalize.ts";
import { fixBlocked } from "./commands/fix-blocked.ts";
import { gc } from "./commands/gc.ts";
import { help } from "./commands/help.ts";
import { history } from "./commands/history.ts";
import { init } from "./commands/init.ts";
import { invite } from "./commands/invite.ts";
import { join } from "./commands/join.ts";
import { leave } from "./commands/leave.ts";
import { logs } from "./commands/logs.ts";
import { member } from "./commands/member.ts";
import { mirror } from "./commands/mirror.ts";
import { monitor } from "./commands/monitor.ts";
import { next } from "./commands/next.ts";
import { node } from "./commands/node.ts";
import { open } from "./commands/open.ts";
import { pause } from "./commands/pause.ts";
import { place } from "./commands/place.ts";
import { plan } from "./commands/plan.ts";
import { preview } from "./commands/preview.ts";
import { queue } from "./commands/queue.ts";
import { rebalance } from "./commands/rebalance.ts";
import { rebuildCheck } from "./commands/rebuild-check.ts";
import { release } from "./commands/release.ts";
import { releases } from "./commands/releases.ts";
import { replay } from "./commands/replay.ts";
import { reset } from "./commands/reset.ts";
import { resume } from "./commands/resume.ts";
import { clearFailures, retry, retryFailures, unblock } from "./commands/retry.ts";
import { rollback } from "./commands/rollback.ts";
import { run } from "./commands/run.ts";
import { secret } from "./commands/secret.ts";
import { service } from "./commands/service.ts";
import { shell } from "./commands/shell.ts";
import { sim } from "./commands/sim.ts";
import { sql } from "./commands/sql.ts";
import { staging } from "./commands/staging.ts";
import { stats } from "./commands/stats.ts";
import { status } from "./commands/status.ts";
import { step } from "./commands/step.ts";
import { stop } from "./commands/stop.ts";
import { submit } from "./commands/submit.ts";
import { taint } from "./commands/taint.ts";
import { timeline } from "./commands/timeline.ts";
import { unground } from "./commands/unground.ts";
import { verify } from "./commands/verify.ts";
import { version } from "./commands/version.ts";
import { watch } from "./commands/watch.ts";
import { why } from "./commands/why.ts";
import { wire } from "./commands/wire.ts";

export interface Chapter {
  readonly title: string;
  readonly commands: readonly Command[];
}

export const chapters: readonly Chapter[] = [
  {
    title: "Each day",
    commands: [status, next, monitor, open],
  },
  {
    title: "A build",
    commands: [
      plan,
      submit,
      watch,
      logs,
      fetch,
      history,
      cancel,
      queue,
      retry,
      retryFailures,
      unblock,
      clearFailures,
      rebalance,
      reset,
    ],
  },
  {
    title: "Why",
    commands: [why, criticalPath, autopsy, fixBlocked, replay, timeline, stats, sql, exportBuild],
  },
  {
    title: "Look closer",
    commands: [pause, resume, step, breakpoint, preview, place, shell, rebuildCheck, wire],
  },
  {
    title: "Artifacts and releases",
    commands: [artifact, attest, verify, staging, release, finalize, releases, rollback, taint, mirror],
  },
  {
    title: "The swarm",
    commands: [init, invite, join, approve, deny, member, node, drain, unground, leave],
  },
  {
    title: "This node",
    commands: [run, stop, service, config, secret, cockpit, doctor, gc],
  },
  {
    title: "Try and help",
    commands: [sim, demo, version, help],
  },
];
