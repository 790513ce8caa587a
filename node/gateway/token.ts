/** The gateway's token, kept in a file that only its owner reads: it stands in no setting, no variable and no process list. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { readSmallFile } from "../files.ts";

const tokenPattern = /^[\x21-\x7e]{16,512}$/;

/** Throws `usage`. */
export async function readToken(file: string): Promise<string> {
  const token = (await readSmallFile(file, 4096))?.trim();
  if (token !== undefined && tokenPattern.test(token)) return token;
  throw new SwarmError(
    "usage",
    token === undefined
      ? `there is no ${file}`
      : `${file} holds no token: 16 characters or more, none of them a space`,
    { remedy: `make one: (umask 077; head -c 24 /dev/urandom | base64 >${file})` },
  );
}
