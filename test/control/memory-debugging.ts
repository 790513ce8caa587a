/** The part of a `Control` in memory that debugs builds: it answers what it is given, and remembers what is asked. */
import type { Debugging, DebugView, PreviewView } from "../../node/control/debugging.ts";
import type { Moved, WordOptions } from "../../node/control/words.ts";
import type { DebugWord } from "../../protocol/contract.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { MemoryData } from "./memory-data.ts";

export class MemoryDebugging extends MemoryData implements Debugging {
  /** Every word of the debugger that was asked, with its options. */
  readonly debugged: { readonly build: BuildId; readonly word: DebugWord; readonly options: WordOptions }[] =
    [];
  debugAnswer: Moved = { moved: 1, lost: 0 };
  debugView: Omit<DebugView, "build"> = { state: "running", holds: [], breakpoints: [], places: [] };
  previewed: Omit<PreviewView, "build"> = {
    state: "running",
    atMs: 0,
    mode: "unified",
    choices: [],
    waits: [],
    more: 0,
  };

  async debug(build: BuildId, word: DebugWord, options: WordOptions = {}): Promise<Moved> {
    this.debugged.push({ build, word, options });
    return { ...this.debugAnswer, build };
  }

  async debugging(build: BuildId): Promise<DebugView> {
    return { build, ...this.debugView };
  }

  async preview(build: BuildId): Promise<PreviewView> {
    return { build, ...this.previewed };
  }
}
