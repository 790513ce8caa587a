/** Packages of all kinds, made of anything: sound ones for tests to read, odd ones for them to be refused. */
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";

export interface File {
  readonly name: string;
  readonly body?: string | Uint8Array;
  readonly mode?: number;
  readonly type?: TarEntry["header"]["type"];
  readonly to?: string;
}

/** A plain tar of these. */
export const tarOf = (files: readonly File[]): Promise<Uint8Array> =>
  packTar(
    files.map(({ name, body = "", mode = 0o644, type = "file", to }) => {
      const bytes = Buffer.from(body as Uint8Array);
      return {
        header: {
          name,
          type,
          mode,
          size: type === "file" ? bytes.length : 0,
          mtime: new Date(0),
          ...(to !== undefined && { linkname: to }),
        },
        ...(type === "file" && { body: new Uint8Array(bytes) }),
      };
    }),
  );

export const demoMetadata: Readonly<Record<string, string>> = {
  CATEGORY: "dev-libs",
  PF: "libdemo-1.2-r1",
  SLOT: "0/1",
  EAPI: "8",
  KEYWORDS: "amd64 ~arm64",
  USE: "abi_x86_64 amd64 ssl",
  IUSE: "+ssl doc",
  DEPEND: "ssl? ( dev-libs/openssl:0/3= ) doc? ( app-doc/doxygen )\n",
  RDEPEND: "ssl? ( dev-libs/openssl:0/3= ) || ( sys-apps/a sys-apps/b )",
  BUILD_ID: "1",
  BUILD_TIME: "1700000000",
  DESCRIPTION: "A library to show",
  repository: "demo",
  CHOST: "x86_64-pc-linux-gnu",
  LICENSE: "MIT",
  DEFINED_PHASES: "compile install",
  PROVIDES: "x86_64: libdemo.so.1",
};

export const demoFiles: readonly File[] = [
  { name: "image/usr/", type: "directory", mode: 0o755 },
  { name: "image/usr/share/demo", body: "hello\n" },
];

export interface GpkgParts {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly files?: readonly File[];
  readonly pack?: (tar: Uint8Array) => Uint8Array;
  readonly ending?: string;
  /** The members of the outer tar, Manifest last, before they are packed. */
  readonly change?: (members: File[]) => File[];
  readonly manifest?: (text: string) => string;
}

/** A gpkg as GLEP 78 has it, but for what is asked for. */
export async function gpkgOf(parts: GpkgParts = {}): Promise<Uint8Array> {
  const { metadata = demoMetadata, files = demoFiles, pack = zstdCompressSync, ending = ".zst" } = parts;
  const folder = `${metadata.PF}-${metadata.BUILD_ID}/`;
  const values = Object.entries(metadata).map(([key, value]) => ({
    name: `metadata/${key}`,
    body: `${value}\n`,
  }));
  const inner: File[] = [
    { name: "gpkg-1" },
    { name: `metadata.tar${ending}`, body: pack(await tarOf(values)) },
    { name: `image.tar${ending}`, body: pack(await tarOf(files)) },
  ];
  const text = inner.slice(1).map(manifestLine).join("");
  const members = [...inner, { name: "Manifest", body: parts.manifest?.(text) ?? text }];
  return tarOf((parts.change?.(members) ?? members).map((file) => ({ ...file, name: folder + file.name })));
}

export function manifestLine({ name, body = "" }: File): string {
  const bytes = Buffer.from(body as Uint8Array);
  const hash = (algorithm: string) => createHash(algorithm).update(bytes).digest("hex");
  return `DATA ${name} ${bytes.length} SHA512 ${hash("sha512")} BLAKE2B ${hash("blake2b512")}\n`;
}

/** The metadata part of an xpak, from `XPAKPACK` to its end. */
export function xpakSegment(metadata: Readonly<Record<string, string>>): Buffer {
  const index: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [key, text] of Object.entries(metadata)) {
    const value = Buffer.from(`${text}\n`);
    index.push(number(key.length), Buffer.from(key), number(offset), number(value.length));
    data.push(value);
    offset += value.length;
  }
  const [names, values] = [Buffer.concat(index), Buffer.concat(data)];
  const front = [Buffer.from("XPAKPACK"), number(names.length), number(values.length), names, values];
  const segment = Buffer.concat([...front, Buffer.from("XPAKSTOP")]);
  return Buffer.concat([segment, number(segment.length), Buffer.from("STOP")]);
}

/** An xpak with a gzipped image. */
export async function xpakOf(
  metadata = demoMetadata,
  files: readonly File[] = imageFiles,
): Promise<Uint8Array> {
  return Buffer.concat([gzipSync(await tarOf(files)), xpakSegment(metadata)]);
}

const imageFiles: readonly File[] = demoFiles.map((file) => ({
  ...file,
  name: file.name.replace("image/", "./"),
}));

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** An ar archive of these. */
export function arOf(members: readonly { readonly name: string; readonly body: Uint8Array }[]): Buffer {
  const parts = members.flatMap(({ name, body }) => [
    Buffer.from(`${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6).repeat(2)}${"100644".padEnd(8)}`),
    Buffer.from(`${String(body.length).padEnd(10)}\`\n`),
    body,
    Buffer.alloc(body.length % 2, "\n"),
  ]);
  return Buffer.concat([Buffer.from("!<arch>\n"), ...parts]);
}

export const demoControl =
  "Package: demo\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: shown\n more\n";

/** A deb as dpkg-deb makes it, of anything. */
export async function debOf(control = demoControl, files: readonly File[] = debFiles): Promise<Uint8Array> {
  return arOf([
    { name: "debian-binary", body: Buffer.from("2.0\n") },
    { name: "control.tar.gz", body: gzipSync(await tarOf([{ name: "./control", body: control }])) },
    { name: "data.tar.zst", body: zstdCompressSync(await tarOf(files)) },
  ]);
}

const debFiles: readonly File[] = [
  { name: "./", type: "directory", mode: 0o755 },
  { name: "./usr/", type: "directory", mode: 0o755 },
  { name: "./usr/demo", body: "hello\n" },
];
