/** The members of a tar of anyone, one after the other: names are checked, what is neither file, folder nor link is refused, and all is bounded. */
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { guarded, OddMember } from "../../build/tar-guard.ts";

export interface Member {
  /** Without `./` in front and `/` at the end; never absolute, never with `..`. The root itself is ``. */
  readonly name: string;
  readonly kind: "file" | "folder" | "symlink" | "link";
  /** The twelve bits of rights. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Where a link leads. */
  readonly to?: string;
  /** To be read to its end before the next member, or left alone. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface TarLimits {
  readonly membersMax: number;
  /** Of the tar itself, headers included. */
  readonly bytesMax: number;
}

const nameCharsMax = 4096;

const kinds: Readonly<Record<string, Member["kind"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "folder",
  symlink: "symlink",
  link: "link",
};

export const malformed = (message: string, remedy = "build the package again", cause?: unknown): SwarmError =>
  new SwarmError("malformed", message, { remedy, cause });

/** A name as it is shown: short, on one line. */
export const shown = (name: string): string => JSON.stringify(name.slice(0, 200)).slice(1, -1);

/** The name without what means nothing; throws `malformed` for one that leads out. */
function innerName(name: string): string {
  if (name.startsWith("/")) throw malformed(`the path ${shown(name)} in it is absolute`);
  if (name.includes("\0") || name.includes("\n") || name.length > nameCharsMax)
    throw malformed(`${shown(name)} in it is no path`);
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw malformed(`the path ${shown(name)} in it leads out of it`);
  return parts.join("/");
}

/** Throws `malformed`, also for what damage the decoder finds. */
export async function* tarMembers(
  source: AsyncIterable<Uint8Array>,
  { membersMax, bytesMax }: TarLimits,
): AsyncGenerator<Member> {
  const decoder = createTarDecoder({ strict: true });
  const writer = decoder.writable.getWriter();
  writer.closed.catch(() => {}); // told by what is read
  const feed = async (): Promise<unknown> => {
    try {
      for await (const chunk of guarded(bounded(source, bytesMax))) await writer.write(chunk);
      await writer.close();
      return undefined;
    } catch (cause) {
      await writer.abort(cause).catch(() => {});
      return cause;
    }
  };
  const fed = feed();
  const reader = (decoder.readable as ReadableStream<ParsedTarEntry>).getReader();
  let members = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const { header, body } = value;
      if (++members > membersMax) throw malformed(`it has more than ${membersMax} members`);
      const name = innerName(header.name);
      const type = header.type ?? "file";
      const kind = kinds[type];
      if (kind === undefined) throw malformed(`${shown(header.name)} is a ${type.replace("-", " ")}`);
      if (Object.keys(header.pax ?? {}).some((key) => key.startsWith("GNU.sparse")))
        throw malformed(`${shown(name)} is a sparse file`);
      const to = header.linkname ?? "";
      if (kind === "link") innerName(to);
      if (kind === "symlink" && (to === "" || to.length > nameCharsMax || to.includes("\0")))
        throw malformed(`the link ${shown(name)} leads nowhere`);
      let touched = false;
      const chunks = async function* () {
        touched = true;
        try {
          for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) yield chunk;
        } catch (cause) {
          throw faultOf(cause, cause);
        }
      };
      yield {
        name,
        kind,
        mode: (header.mode ?? 0) & 0o7777,
        sizeBytes: kind === "file" ? (header.size ?? 0) : 0,
        ...((kind === "symlink" || kind === "link") && { to }),
        body: chunks(),
      };
      if (!touched) await body.cancel();
    }
  } catch (cause) {
    await writer.abort(cause).catch(() => {});
    throw faultOf(await fed, cause);
  } finally {
    await writer.abort(new Error("nobody reads on")).catch(() => {});
    await reader.cancel().catch(() => {});
  }
  const cause = await fed;
  if (cause !== undefined) throw faultOf(cause, cause);
}

async function* bounded(source: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw malformed("it unpacks to more than an honest package of its size would");
    yield chunk;
  }
}

/** What went wrong first: what the source says counts more than what the decoder makes of its end. */
function faultOf(fed: unknown, cause: unknown): Error {
  for (const one of [fed, cause]) {
    if (one instanceof SwarmError) return one;
    if (one instanceof OddMember) return malformed(`${shown(one.member)} is ${one.what}`);
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return malformed(
    `it is damaged: ${message.split("\n")[0]!.slice(0, 200)}`,
    "fetch or build it again",
    cause,
  );
}
