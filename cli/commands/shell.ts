/** `swarmd shell BUILD ACTION`: the sandbox of an action as it was, with its inputs, on this node. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { quoteAll } from "../../node/build/shell.ts";
import type { ShellEvent } from "../../node/control/shells.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { plain } from "../output.ts";
import { selectBuild } from "../select.ts";
import { bytesText, countText } from "../units.ts";

const commandCharsMax = 65_536;
/** A program takes 128 KiB in one argument. */
const lineCharsMax = 120_000;
const ranCharsMax = 400;

type Opened = Extract<ShellEvent, { kind: "open" }>;

export const shell: Command = {
  name: "shell",
  args: "<build> <action>",
  description: "Open the sandbox of an action as it was, with its inputs, on this node",
  options: [
    { flags: "--command <line>", description: "Run this in it, and end with its exit code" },
    { flags: "--keep", description: "Keep what lies in its folder" },
  ],
  examples: [
    "shell leveldb compile/db_impl",
    "shell leveldb compile/db_impl --command ./replay",
    "shell leveldb-0123 test/run --command 'ls -l' --keep",
  ],
  async run(context, [word, action], options) {
    if (context.json)
      throw new SwarmError("usage", "a shell has no answer in JSON", {
        remedy: "run one command in it, and read what that prints: --command 'ls -l'",
      });
    const command = optionText(options, "command");
    if (command === "" || (command?.length ?? 0) > commandCharsMax)
      throw new SwarmError("usage", `--command takes 1 to ${commandCharsMax} characters`);
    if (command === undefined && !(process.stdin.isTTY && process.stdout.isTTY))
      throw new SwarmError("usage", "there is no terminal for a shell here", {
        remedy: "run one command in it: --command './replay'",
      });
    const { build } = await selectBuild(context.control, word!);
    // A terminal of its own: in the one that is here, what runs in the sandbox could type in the reader's name.
    const { findProgram } = await import("../../node/build/programs.ts");
    const script = command === undefined ? findProgram("script") : undefined;
    const term = process.env.TERM;
    const gone = new AbortController();
    const events = context.control.shell(
      {
        build,
        action: action as ActionName,
        terminal: script !== undefined,
        ...(command === undefined ? {} : { command }),
        ...(term !== undefined && /^[A-Za-z0-9._+-]{1,64}$/.test(term) ? { term } : {}),
      },
      gone.signal,
    );
    try {
      const room = await opened(context, events);
      if (command === undefined) greet(context, room);
      const code = await enter(room, script);
      const { kept } = await context.control.leaveShell(room.room, options.keep !== undefined).catch(lost);
      if (kept) context.output.note(`kept: ${kept}`);
      else if (options.keep) context.output.note("nothing is kept: the daemon went away meanwhile");
      return command === undefined ? 0 : code;
    } finally {
      gone.abort();
    }
  },
};

/** How to enter. Throws what was refused. */
async function opened({ output }: Context, events: AsyncIterable<ShellEvent>): Promise<Opened> {
  const iterator = events[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done) throw new SwarmError("daemon-unreachable", "the daemon stops");
    if (value.kind === "open") {
      // The room lasts as long as somebody listens; that the daemon goes away meanwhile is told at the end.
      void iterator.next().catch(() => {});
      return value;
    }
    output.note(`bringing ${countText(value.files, "file")} here, ${bytesText(value.bytes)}`);
  }
}

function greet({ output }: Context, { ran, word, place, replay, made, without, sandbox }: Opened): void {
  const line = plain(quoteAll(ran));
  output.note(plain(word));
  output.note(`  it ran:  ${line.length > ranCharsMax ? `${line.slice(0, ranCharsMax)}…` : line}`);
  output.note(`  again:   ${replay}${made.length > 0 ? " (what it made lies here, and is made anew)" : ""}`);
  output.note(
    `  here:    ${place}${sandbox === "none" ? " (no sandbox: this node has none)" : ""}; exit leaves it`,
  );
  if (without.length > 0)
    output.note(
      `  without: ${without.join(", ")} (secrets that this node was not given: swarmd secret set NAME)`,
    );
}

/** Resolves with the exit code once it has ended. */
function enter(room: Opened, script: string | undefined): Promise<number> {
  const [program, args] = entry(room, script);
  // What a person types is meant for whoever is in the room.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  const stop = () => child.kill("SIGTERM");
  const child = spawn(program, args, {
    cwd: room.cwd,
    env: { ...room.env, ...(script ? { SHELL: "/bin/sh", ...termOf() } : {}) },
    stdio: "inherit",
    ...(process.geteuid?.() === 0 && room.uid > 0 ? { uid: room.uid, gid: room.gid } : {}),
  });
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  return new Promise((resolve, reject) => {
    child.on("error", (cause) =>
      reject(new SwarmError("sandbox-missing", `the sandbox cannot be entered: ${cause.message}`, { cause })),
    );
    child.on("close", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  }).finally(() => {
    process.off("SIGINT", ignore);
    process.off("SIGTERM", stop);
    process.off("SIGHUP", stop);
  }) as Promise<number>;
}

const termOf = (): Record<string, string> =>
  process.env.TERM === undefined ? {} : { TERM: process.env.TERM };

function entry({ argv }: Opened, script: string | undefined): [string, string[]] {
  const [program, ...args] = argv;
  if (script === undefined) return [program!, args];
  const line = `exec ${quoteAll(argv)}`;
  if (line.length > lineCharsMax)
    throw new SwarmError("too-large", "what it takes to enter is too long for a terminal", {
      remedy: "run one command in it: --command './replay'",
    });
  return [script, ["-qec", line, "/dev/null"]];
}

/** The daemon has gone, and with it the room. */
const lost = (): { kept?: string } => ({});
