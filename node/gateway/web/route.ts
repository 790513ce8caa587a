/** Where in the dashboard one is: the part of the address behind `#`, so that every view has an address and a way back. */
import { useEffect, useState } from "preact/hooks";

export interface Route {
  /** `#/builds/BUILD` is `["builds", "BUILD"]`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

function routeOf(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** An address within the dashboard. */
export function linkTo(
  path: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = given.length > 0 ? `?${new URLSearchParams(given)}` : "";
  return `#/${path.map(encodeURIComponent).join("/")}${search}`;
}

/** Goes on within one view: no step of its own in the browser's history. */
export function amend(path: readonly string[], query: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(null, "", linkTo(path, query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const changed = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

/** Of an artifact, by the hash alone: its size would be a second part of the path. */
export const linkToArtifact = (digest: string): string => linkTo(["artifacts", hashOf(digest)]);

const hashOf = (digest: string): string => digest.split("/")[0]!;

/** As much of a digest as people tell others apart by. */
export const shortHashOf = (digest: string): string => digest.slice(0, 12);

/** It stands in the digest. */
export const sizeOf = (digest: string): number => Number(digest.split("/")[1]);
