/**
 * Whether the machine's owner works at it: a session of logind in front of a seat, or a terminal into which somebody typed lately. A
 * terminal's access time moves with its input, as `w` knows.
 */
import { statSync } from "node:fs";
import { readNames, readText } from "./reading.ts";

/** Graphical sessions tell nobody when they were last touched: one that is in front counts until it is locked or left. */
const graphical = new Set(["x11", "wayland", "mir"]);

/** `idleMs`: a terminal that nobody typed into for so long is nobody's. */
export function readOwner(root: string, idleMs: number, nowMs: number): boolean {
  const folder = `${root}/run/systemd/sessions`;
  for (const name of readNames(folder, /^[A-Za-z]?[0-9]{1,9}$/)) {
    const session = fieldsOf(readText(`${folder}/${name}`) ?? "");
    if (session.get("CLASS") !== "user") continue;
    if (graphical.has(session.get("TYPE") ?? "") && session.get("ACTIVE") === "1") return true;
    const terminal = session.get("TTY") ?? "";
    if (!/^(tty[0-9]{1,2}|pts\/[0-9]{1,5})$/.test(terminal)) continue;
    const touchedMs = accessedMs(`${root}/dev/${terminal}`);
    if (touchedMs !== undefined && nowMs - touchedMs < idleMs) return true;
  }
  return false;
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  return fields;
}

function accessedMs(file: string): number | undefined {
  try {
    return statSync(file).atimeMs;
  } catch {
    return undefined; // the session is just ending
  }
}
