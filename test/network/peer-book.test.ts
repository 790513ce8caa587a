import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogTo } from "../../node/log.ts";
import { dialable, PeerBook } from "../../node/network/peer-book.ts";
import { peerIdOf } from "../../protocol/kernel/ids.ts";

const id = (n: number) => peerIdOf(new Uint8Array(32).fill(n));
const log = createLogTo({ write() {} }, "error");

describe("the peer book", () => {
  let folder: string;
  let book: PeerBook;
  const open = () => PeerBook.open(path.join(folder, "peers.json"), id(1), log);
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "swarmd-book-"));
    book = await open();
  });
  afterEach(async () => {
    await book.flush();
    await rm(folder, { recursive: true, force: true });
  });

  it("is the same after a restart", async () => {
    book.add(id(2), ["/ip4/192.0.2.1/tcp/4701", "/dns4/builder/tcp/1"], { viaLoopback: false });
    book.add(id(3), ["/ip6/2001:db8::1/tcp/4701"], { viaLoopback: false });
    await book.flush();
    const again = await open();
    expect(again.peers().sort()).toEqual([id(2), id(3)].sort());
    expect(again.addresses(id(2))).toEqual(["/ip4/192.0.2.1/tcp/4701", "/dns4/builder/tcp/1"]);
  });

  it("puts what was just seen first, hearsay last, and drops the last when it is too much", () => {
    const at = (n: number) => `/ip4/192.0.2.${n}/tcp/4701`;
    book.add(id(2), [at(1), at(2)], { viaLoopback: false });
    book.add(id(2), [at(3), at(2)], { viaLoopback: false, hearsay: true });
    expect(book.addresses(id(2))).toEqual([at(1), at(2), at(3)]);
    book.add(id(2), [at(3)], { viaLoopback: false });
    expect(book.addresses(id(2))).toEqual([at(3), at(1), at(2)]);
    for (let n = 10; n < 40; n++) book.add(id(2), [at(n)], { viaLoopback: false });
    expect(book.addresses(id(2)).length).toBe(16);
    expect(book.addresses(id(2))[0]).toBe(at(39));
  });

  it("takes no loopback address from another machine, no scope-less one, and nothing of itself", () => {
    const addresses = [
      "/ip4/127.0.0.1/tcp/1",
      "/ip6/::1/tcp/1",
      "/ip6/fe80::1/tcp/1",
      "/ip4/192.0.2.1/tcp/1",
    ];
    book.add(id(2), addresses, { viaLoopback: false });
    expect(book.addresses(id(2))).toEqual(["/ip4/192.0.2.1/tcp/1"]);
    book.add(id(3), addresses, { viaLoopback: true });
    expect(book.addresses(id(3))).toEqual(["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip4/192.0.2.1/tcp/1"]);
    expect(book.add(id(1), addresses, { viaLoopback: true })).toBe(false);
  });

  it("is a plain JSON file", async () => {
    book.add(id(2), ["/ip4/192.0.2.1/tcp/4701"], { viaLoopback: false });
    await book.flush();
    expect(JSON.parse(await readFile(path.join(folder, "peers.json"), "utf8"))).toEqual({
      version: 1,
      peers: { [id(2)]: ["/ip4/192.0.2.1/tcp/4701"] },
    });
  });
});

describe("an address", () => {
  it("can be dialled when it is TCP to a host, with the right peer id or none", () => {
    const cases: [string, string | undefined][] = [
      ["/ip4/192.0.2.1/tcp/4701", "/ip4/192.0.2.1/tcp/4701"],
      [`/dns/builder/tcp/4701/p2p/${id(2)}`, "/dns/builder/tcp/4701"],
      [`/ip4/192.0.2.1/tcp/4701/p2p/${id(3)}`, undefined],
      ["/ip4/192.0.2.1/tcp/0", undefined],
      ["/ip4/192.0.2.1/udp/4701", undefined],
      ["/ip4/192.0.2.1/tcp/4701/ws", undefined],
      [`/ip4/192.0.2.1/tcp/4701/p2p/${id(3)}/p2p-circuit/p2p/${id(2)}`, undefined],
      ["192.0.2.1:4701", undefined],
      ["", undefined],
      [`/dns4/${"a".repeat(300)}/tcp/1`, undefined],
    ];
    for (const [text, expected] of cases) expect(dialable(text, id(2))?.toString(), text).toBe(expected);
  });
});
