/** Paths in the workspace of an action: relative, with slashes, inside it. */
import type { Trouble } from "./problem.ts";

export const pathCharsMax = 4096;
/** As file systems have it. */
const nameCharsMax = 255;

/** True for one segment of a path: at most 255 characters, not empty, not `.` or `..`, no slash, no NUL, well-formed Unicode. */
export const isFileName = (name: string): boolean =>
  name !== "" &&
  name.length <= nameCharsMax &&
  name !== "." &&
  name !== ".." &&
  !name.includes("/") &&
  !name.includes("\0") &&
  name.isWellFormed();

/** True for a relative path that stays inside, without a slash at its end. */
export const isPath = (path: string): boolean =>
  path.length <= pathCharsMax && path.split("/").every(isFileName);

/** A path without `./` in front. */
export const withoutDot = (path: string): string => path.replace(/^(\.\/)+/, "");

/** What is wrong with a workspace path; undefined when nothing is. */
export function pathTrouble(path: string, what: string): Trouble | undefined {
  if (path.startsWith("/"))
    return { message: `${what} is absolute`, hint: "write it relative to the workspace of the action" };
  if (path.split("/").includes(".."))
    return { message: `${what} leaves the workspace`, hint: "every path lies inside the workspace: no .." };
  if (!isPath(path)) return { message: `${what} is no path`, hint: "segments are not empty and not ." };
  return undefined;
}
