import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { createSigner } from "../node/signer.ts";
import { familyOfKind } from "../protocol/explain/families.ts";
import { foundingEntry } from "../protocol/swarm/founding.ts";
import { swarmIdOf } from "../protocol/swarm/members.ts";
import { decodeTicket, encodeTicket } from "../protocol/swarm/ticket.ts";
import { type Entry, readEntry, sealEntry, signedEntry } from "../protocol/timeline/entry.ts";

const root = path.resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");

/** The code block of a page that is marked with `mark` after its language. */
function block(page: string, mark: string): string {
  const found = new RegExp(`^\`\`\`\\w+ ${mark}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(read(page));
  if (!found) throw new Error(`${page} has no block ${mark}`);
  return found[1]!;
}

/** The first words in back quotes of a page's table rows, below a heading if one is given. */
function rows(page: string, heading?: string): string[] {
  const text = read(page);
  const part = heading === undefined ? text : text.slice(text.indexOf(heading)).split(/\n## /)[0]!;
  return [...part.matchAll(/^\| `([^`]+)`/gm)].map((found) => found[1]!);
}

const literals = (source: string) =>
  [...source.matchAll(/kind: z\.literal\("([^"]+)"\)/g)].map((found) => found[1]!);

const rootKey = createSigner(new Uint8Array(32).fill(1));
const ann = createSigner(new Uint8Array(32).fill(2)).self;
const founding = {
  name: "garden",
  root: rootKey.self,
  nonce: "00112233445566778899aabbccddeeff",
  admin: ann,
  adminName: "ann",
  nowMs: 1_764_000_000_000,
  notAfterMs: 2_079_360_000_000,
};

describe("the formats are as they are written down", () => {
  test("the example entry has the id and the bytes that the page gives", () => {
    const entry = JSON.parse(block("specs/entries.md", "entry")) as Entry;
    expect(entry).toEqual(foundingEntry(founding));
    const { body, id } = sealEntry(entry);
    expect(id).toBe(block("specs/entries.md", "id").trim());
    const bytes = Buffer.from(block("specs/entries.md", "bytes").replace(/\s/g, ""), "hex");
    expect(Buffer.compare(signedEntry(entry, body, id, rootKey.sign(id)).bytes, bytes)).toBe(0);
    const again = readEntry(new Uint8Array(bytes));
    expect(again.entry).toEqual(entry);
    expect(rootKey.verify(entry.author, again.id, again.sig)).toBe(true);
  });

  test("the example ticket says what the page says", () => {
    const ticket = decodeTicket(block("specs/admission.md", "ticket"));
    expect(ticket).toEqual({
      swarm: swarmIdOf(founding),
      swarmName: "garden",
      ticket: "0123456789abcdef",
      issuer: ann,
      addrs: ["/ip4/192.0.2.7/tcp/4701"],
      roles: ["builder", "submitter"],
      notAfterMs: 1_764_086_400_000,
      secret: new Uint8Array(32).fill(3),
    });
    expect(encodeTicket(ticket)).toBe(block("specs/admission.md", "ticket").replace(/\s/g, ""));
  });

  test("every kind of event is described, and no other", () => {
    expect(rows("specs/events.md").sort()).toEqual(literals(read("protocol/timeline/events.ts")).sort());
  });

  test("every kind of message is described, and no other", () => {
    const source = read("protocol/swarm/message.ts");
    const split = source.indexOf("const gossipSchema");
    const end = source.indexOf("function flatten");
    expect(rows("specs/messages.md", "## Unicast").sort()).toEqual(literals(source.slice(0, split)).sort());
    expect(rows("specs/messages.md", "## Gossip").sort()).toEqual(literals(source.slice(split, end)).sort());
  });
});

test("links between pages lead somewhere", () => {
  const pages = [
    "README.md",
    "CONTRIBUTING.md",
    ...["README", "entries", "events", "admission", "messages", "store"].map((name) => `specs/${name}.md`),
  ];
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map((found) => path.join(path.dirname(page), found[1]!))
      .filter((target) => {
        try {
          readFileSync(path.join(root, target));
          return false;
        } catch (thrown) {
          return (thrown as NodeJS.ErrnoException).code === "ENOENT";
        }
      }),
  );
  expect(broken).toEqual([]);
});

test("the families of events are those that the page of the timeline lists", () => {
  const listed = read("specs/timeline.md")
    .split("\n")
    .flatMap((line) => {
      const [, family, kinds] = /^\| `(\w+)` \| [^`]* \| (`.*`) \|$/.exec(line) ?? [];
      return kinds === undefined ? [] : [...kinds.matchAll(/`([^`]+)`/g)].map((kind) => [kind[1], family]);
    });
  expect(Object.fromEntries(listed)).toEqual(familyOfKind);
});
