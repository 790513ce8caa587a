/** Starts programs, with one way to say that it cannot be done. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/**
 * As `spawn`: "error" tells of a program that is not there. Throws where there is no memory for it, or no descriptor for its pipes: Node gives
 * a child without any then, whose "error" comes when whoever touched its pipes has thrown already, and ends the process.
 */
export function started(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(program, args, options);
  if ((child.stdio as unknown) !== undefined) return child;
  child.on("error", () => {});
  throw new Error(`${program} cannot be started: this process can open no more files`);
}
