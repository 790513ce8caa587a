/** Keeps the values of secrets out of what an action leaves: its logs are rewritten, an output that holds one fails it. */
import { constants, createWriteStream, lstatSync } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ExecuteRequest } from "../../protocol/contract.ts";
import { Redactor } from "./redactor.ts";

type Values = ReadonlyMap<string, Buffer>;

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Takes the values out of a log. */
export async function redactFile(file: string, secrets: Values): Promise<void> {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size === 0) return;
  const redactor = new Redactor(secrets);
  const source = (await open(file, readFlags)).createReadStream();
  const clean = async function* () {
    for await (const piece of source as AsyncIterable<Buffer>) yield redactor.push(piece);
    yield redactor.end();
  };
  const beside = `${file}.clean`;
  await rm(beside, { force: true });
  await pipeline(Readable.from(clean()), createWriteStream(beside, { flags: "wx", mode: 0o600 }));
  await rename(beside, file);
}

/** Which output holds a value, in its content or in a name, in words; undefined when none does. */
export async function holdsSecret(
  outputs: ExecuteRequest["outputs"],
  work: string,
  secrets: Values,
): Promise<string | undefined> {
  for (const output of outputs) {
    const name = await holder(path.join(work, output.path), secrets);
    if (name !== undefined)
      return `the output ${output.path} holds the secret ${name}: results are for everybody in the swarm`;
  }
  return undefined;
}

async function holder(place: string, secrets: Values): Promise<string | undefined> {
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found?.isDirectory()) {
    for (const name of await readdir(place).catch(() => [])) {
      const inside =
        new Redactor(secrets).find(Buffer.from(name)) ?? (await holder(path.join(place, name), secrets));
      if (inside !== undefined) return inside;
    }
    return undefined;
  }
  if (!found?.isFile() || (found.mode & 0o400) === 0) return undefined; // no output: refused when they are collected
  const redactor = new Redactor(secrets);
  const source = (await open(place, readFlags)).createReadStream();
  for await (const piece of source as AsyncIterable<Buffer>) {
    const name = redactor.find(piece);
    if (name !== undefined) return name;
  }
  return undefined;
}
