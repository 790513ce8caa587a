/** What the daemon answers to who wants into the sandbox of an action. */
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";

/** The part of `Control` that lays rooms of actions out for people. */
export interface Shells {
  /**
   * Brings the inputs of an action here and lays its room out: events say how far that is, the last one how to enter. The room stays until the
   * stream is dropped or it is left. Refuses `not-found`; `blob-missing`; `no-eligible-node` where this machine cannot run it, naming who can;
   * `refused` when too many rooms are open.
   */
  shell(request: ShellRequest, signal: AbortSignal): AsyncIterable<ShellEvent>;
  /** Leaves a room; with `keep` what lies in its workspace is kept. */
  leaveShell(room: string, keep: boolean): Promise<{ readonly kept?: string }>;
}

export interface ShellRequest {
  readonly build: BuildId;
  readonly action: ActionName;
  /** Absent: a shell. */
  readonly command?: string;
  /** Whoever asks gives it a terminal of its own. */
  readonly terminal: boolean;
  readonly term?: string;
}

export type ShellEvent =
  | { readonly kind: "fetching"; readonly files: number; readonly bytes: number }
  | {
      readonly kind: "open";
      readonly room: string;
      /** What is to be started: program, arguments, the whole environment, folder. */
      readonly argv: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
      /** Who is to start it: the owner of the daemon. */
      readonly uid: number;
      readonly gid: number;
      /** Where the workspace lies for who is in the room, and what runs the action again there. */
      readonly place: string;
      readonly replay: string;
      readonly sandbox: "bubblewrap" | "none";
      /** The action's own command. */
      readonly ran: readonly string[];
      /** Outputs that lie in it as they were made. */
      readonly made: readonly string[];
      /** Secrets that it was given and this node has not. */
      readonly without: readonly string[];
      /** How the action went, in words. */
      readonly word: string;
    };
