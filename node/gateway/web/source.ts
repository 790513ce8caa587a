/** All that the dashboard knows comes through here: reads of this gateway, with the token where it wants one. */

/** How a read of the gateway travels; throws where it does not arrive. */
export type Carry = (
  path: string,
  how: { readonly headers: Record<string, string>; readonly signal?: AbortSignal },
) => Promise<Response>;

let carry: Carry = (path, how) => fetch(path, { ...how, cache: "no-cache" });

/** Inside another page reads have another way. To be called before the first. */
export function carryBy(other: Carry): void {
  carry = other;
}

const tokenKey = "swarmd.token";
const wanting = new Set<() => void>();

/** What the gateway refused, or that it was not reached. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string;
  constructor(status: number, code: string, message: string, remedy: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.remedy = remedy;
  }
}

/** Kept for this tab alone, and forgotten with it. */
export function keepToken(token: string): void {
  sessionStorage.setItem(tokenKey, token);
}

/** Hears each time the gateway wants a token that it was not shown. */
export function onTokenWanted(wanted: () => void): () => void {
  wanting.add(wanted);
  return () => wanting.delete(wanted);
}

/** JSON below /api/v1. Throws `Refused`. */
export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await ask(`/api/v1${path}`, signal);
  return (await answer.json()) as T;
}

/** Any path of the gateway, answered well. Throws `Refused`. */
export async function ask(
  path: string,
  signal?: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Response> {
  const token = sessionStorage.getItem(tokenKey);
  let answer: Response;
  try {
    answer = await carry(path, {
      headers: { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) },
      ...(signal ? { signal } : {}),
    });
  } catch (fault) {
    if (signal?.aborted) throw fault;
    throw new Refused(0, "unreachable", "this node does not answer", "is its daemon running? swarmd status");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) for (const wanted of wanting) wanted();
  const said = (await answer.json().catch(() => ({}))) as {
    error?: { code?: string; message?: string; remedy?: string };
  };
  throw new Refused(
    answer.status,
    said.error?.code ?? "refused",
    said.error?.message ?? `the gateway answered ${answer.status}`,
    said.error?.remedy ?? "",
  );
}
