/** The home of one daemon on disk: its folders, its name and its swarm; and how a home founds a swarm or enters one. */
import { randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { isHash, type SwarmId } from "../protocol/kernel/ids.ts";
import { firstLogOf } from "../protocol/release/ballot.ts";
import { foundingEntry } from "../protocol/swarm/founding.ts";
import { Members } from "../protocol/swarm/members.ts";
import { type SignedEntry, sealEntry, signedEntry } from "../protocol/timeline/entry.ts";
import { codeOf, makeFolder, readSmallFile, reasonOf, writeFileAtomic } from "./files.ts";
import { type HomePlaces, placesOf } from "./home-places.ts";
import { type Identity, obtainIdentity, obtainRootKey } from "./identity.ts";
import { lockHome } from "./lock.ts";
import { openEventStore } from "./store/events.ts";
import { version as program } from "./version.ts";

const homeVersion = 1;

/** How long the founder's own certificate opens connections. Other admins renew theirs on sight; the founder may be alone. */
const founderTtlMs = 10 * 365 * 86_400_000;

export interface Home {
  /** Absolute. */
  readonly dir: string;
  readonly places: HomePlaces;
  /** The node's name. */
  readonly name: string;
  /** Absent until the home founded a swarm or was admitted to one. */
  readonly swarm: { readonly id: SwarmId; readonly name: string } | undefined;
  readonly identity: Identity;
}

const nodeName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const swarmName = z.string().min(1).max(64);
const homeFile = z.strictObject({
  version: z.literal(homeVersion),
  name: nodeName,
  swarm: z
    .strictObject({
      id: z.custom<SwarmId>((v) => typeof v === "string" && isHash(v)),
      name: swarmName,
    })
    .optional(),
});

/** The home in `dir`; undefined when there is none. Throws `home-invalid` or `store-newer` for one that cannot be used. */
export async function findHome(dir: string): Promise<Home | undefined> {
  const absolute = path.resolve(dir);
  return explained(absolute, async () => {
    const text = await readSmallFile(path.join(absolute, "home.json"), 64 << 10);
    return text === undefined ? undefined : loadHome(absolute, text);
  });
}

/** The home in `dir`. Throws `home-invalid` also when there is none. */
export async function openHome(dir: string): Promise<Home> {
  const home = await findHome(dir);
  if (home) return home;
  throw new SwarmError("home-invalid", `${path.resolve(dir)} is not the home of a node yet`, {
    remedy: "found a swarm: swarmd init; or enter one: swarmd join",
  });
}

/**
 * The home in `dir`, made if it is not there: folders (0700) and the node's key, no swarm yet. `name` counts only when it is
 * made. Throws `home-invalid` for a folder that holds something else, `usage` for a name that is none.
 */
export async function createHome(dir: string, { name }: { readonly name: string }): Promise<Home> {
  const absolute = path.resolve(dir);
  const known = await findHome(absolute);
  if (known) return known;
  if (!nodeName.safeParse(name).success) throw badName(name);
  return explained(absolute, async () => {
    const places = placesOf(absolute);
    makeFolder(absolute, 0o700);
    const own = new Set([...Object.values(places), ...ownFiles.map((file) => path.join(absolute, file))]);
    const foreign = (await readdir(absolute)).find((item) => !own.has(path.join(absolute, item)));
    if (foreign !== undefined)
      throw new SwarmError("home-invalid", `${absolute} holds something else already: ${foreign}`, {
        remedy: "name an empty folder: --home DIR",
      });
    await makeFolders(places);
    await obtainIdentity(places.identity);
    await saveHome(absolute, { version: homeVersion, name });
    return openHome(absolute);
  });
}

/** Another name, for a home that is in no swarm yet. Throws `usage` for a name that is none. */
export async function renameHome(home: Home, name: string): Promise<Home> {
  if (!nodeName.safeParse(name).success) throw badName(name);
  await whileAlone(home, () => saveHome(home.dir, { version: homeVersion, name }));
  return openHome(home.dir);
}

/** The swarm calls this node otherwise by now; to be called by its daemon, which has the home. */
export const keepName = ({ dir, swarm }: Home, name: string): Promise<void> =>
  saveHome(dir, { version: homeVersion, name, ...(swarm ? { swarm } : {}) });

/**
 * Founds a swarm called `name` with this home as its first admin. The root key lies in `rootKeyFile` afterwards; it is
 * needed again only to rescue the swarm and belongs offline. Throws `already-a-member`, `home-locked`, `usage`.
 */
export async function foundSwarm(
  home: Home,
  { name, nowMs = Date.now() }: { readonly name: string; readonly nowMs?: number },
): Promise<{ home: Home; rootKeyFile: string }> {
  if (!swarmName.safeParse(name).success)
    throw new SwarmError("usage", "the name of a swarm has 1 to 64 characters");
  return whileAlone(home, async () => {
    const root = await obtainRootKey(home.places.identity);
    const entry = foundingEntry({
      name,
      root: root.peer,
      nonce: randomBytes(16).toString("hex"),
      admin: home.identity.peer,
      adminName: home.name,
      nowMs,
      notAfterMs: nowMs + founderTtlMs,
    });
    const { body, id } = sealEntry(entry);
    const entries = [signedEntry(entry, body, id, root.signer.sign(id))];
    await enter(home, { id: entry.swarm, name }, entries, firstLogOf(entry.swarm));
    return { home: await openHome(home.dir), rootKeyFile: path.join(home.places.identity, "root.key") };
  });
}

/**
 * Enters the swarm that admitted this node: `certificates` as the member at the door gave them, the founding entry first.
 * Throws `unauthentic` when a signature is wrong, `wrong-swarm` when they do not prove `swarm`, `not-a-member` when they do not
 * admit this node, `already-a-member`, `home-locked`.
 */
export async function adoptCertificates(
  home: Home,
  swarm: SwarmId,
  certificates: readonly SignedEntry[],
): Promise<Home> {
  return whileAlone(home, async () => {
    for (const { entry, id, sig } of certificates)
      if (!home.identity.signer.verify(entry.author, id, sig))
        throw new SwarmError("unauthentic", "a certificate is not signed by whom it names", {
          remedy: `join through another member; where all say the same, their version is too far from ${program} of this machine: compare swarmd version`,
        });
    const members = new Members(swarm);
    members.present(certificates.filter((certificate) => certificate.entry.swarm === swarm));
    if (members.all().length === 0)
      throw new SwarmError("wrong-swarm", "the certificates are not of the swarm that the ticket names", {
        remedy: "join through another member, or ask for a new ticket",
      });
    if (!members.has(home.identity.peer))
      throw new SwarmError("not-a-member", "the certificates do not admit this node", {
        remedy: "ask for a new ticket: swarmd invite",
      });
    await enter(home, { id: swarm, name: members.swarmName }, certificates);
    return openHome(home.dir);
  });
}

const badName = (name: string) =>
  new SwarmError("usage", `${JSON.stringify(name)} cannot name a node`, {
    remedy: "use lower-case letters, digits and inner dashes, at most 63",
  });

/** Names that a home holds beside its places; with them a home whose making was interrupted is known as one. */
const ownFiles = ["home.json", "lock", "lock.pid", "lock-journal"];

const foldersOf = (places: HomePlaces) => [
  places.identity,
  places.timeline,
  places.blobs,
  places.staging,
  places.releases,
  places.work,
  places.logs,
];

async function makeFolders(places: HomePlaces) {
  for (const folder of foldersOf(places)) makeFolder(folder, 0o700);
}

async function loadHome(dir: string, text: string): Promise<Home> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined;
  }
  const version = (content as { version?: unknown } | null | undefined)?.version;
  if (typeof version === "number" && version > homeVersion)
    throw new SwarmError(
      "store-newer",
      `${dir} has format ${version}; this is swarmd ${program}, which knows ${homeVersion}`,
      {
        remedy: "run the version of swarmd that wrote it, or a newer one",
      },
    );
  const parsed = homeFile.safeParse(content);
  if (!parsed.success)
    throw new SwarmError("home-invalid", `${path.join(dir, "home.json")} is damaged`, {
      remedy: "restore it from a backup, or join again with another --home",
    });
  const { mode } = await stat(dir);
  if ((mode & 0o022) !== 0)
    throw new SwarmError(
      "home-invalid",
      `${dir} can be written by others (mode ${(mode & 0o777).toString(8)})`,
      {
        remedy: `chmod 700 ${dir}`,
      },
    );
  const places = placesOf(dir);
  await makeFolders(places);
  const identity = await obtainIdentity(places.identity);
  return { dir, places, name: parsed.data.name, swarm: parsed.data.swarm, identity };
}

const saveHome = (dir: string, content: z.infer<typeof homeFile>) =>
  writeFileAtomic(path.join(dir, "home.json"), `${JSON.stringify(content, null, 2)}\n`);

/** Membership is taken with no daemon and no second `init` or `join` on the home, and only once. */
async function whileAlone<T>(home: Home, work: () => Promise<T>): Promise<T> {
  const lock = await lockHome(home.dir);
  try {
    const { swarm } = await openHome(home.dir);
    if (swarm)
      throw new SwarmError("already-a-member", `${home.dir} is a member of the swarm ${swarm.name}`, {
        remedy: "use another --home for another swarm, or start the daemon: swarmd run",
      });
    return await explained(home.dir, work);
  } finally {
    await lock.release();
  }
}

/** home.json names the swarm last: an interrupted attempt leaves a home without one, whose store the next attempt clears. */
async function enter(
  home: Home,
  swarm: { id: SwarmId; name: string },
  entries: readonly SignedEntry[],
  voteLog?: string,
) {
  await rm(home.places.timeline, { recursive: true, force: true });
  const events = await openEventStore(home.places.timeline);
  try {
    await events.voteLog(voteLog);
    await new Promise<void>((resolve, reject) => {
      events.write({ entries, updates: [], dropped: [], durable: true }, (error) =>
        error ? reject(new SwarmError(error.code, error.message)) : resolve(),
      );
    });
  } finally {
    await events.close();
  }
  await saveHome(home.dir, { version: homeVersion, name: home.name, swarm });
}

/** What the file system refuses, said as what it means for a home. */
async function explained<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    switch (codeOf(cause)) {
      case "EACCES":
      case "EPERM":
      case "EROFS":
        throw new SwarmError("home-invalid", `${dir} cannot be used by this user: ${reasonOf(cause)}`, {
          remedy: "name a folder of your own: --home DIR",
          cause,
        });
      case "ENOTDIR":
      case "ENOENT":
      case "EEXIST":
        throw new SwarmError(
          "home-invalid",
          codeOf(cause) === "ENOENT" ? `${dir} cannot be made` : `${dir} is not a folder`,
          {
            remedy: "name another: --home DIR",
            cause,
          },
        );
      case "ENOSPC":
      case "EDQUOT":
        throw new SwarmError("disk-full", `no room to write to ${dir}`, {
          remedy: "free some disk space",
          cause,
        });
      default:
        throw cause;
    }
  }
}
