/** Which package brings a tool, on the distributions whose names are known here: what a remedy tells a person to install. */

/** How each distribution (`ID` of os-release) installs packages. */
const installers: Readonly<Record<string, string>> = {
  debian: "apt-get install",
  gentoo: "emerge",
  fedora: "dnf install",
  arch: "pacman -S",
  alpine: "apk add",
};

/** Distributions that take another's packages by the same names. */
const kin: Readonly<Record<string, string>> = {
  ubuntu: "debian",
  raspbian: "debian",
  linuxmint: "debian",
  pop: "debian",
  rhel: "fedora",
  centos: "fedora",
  rocky: "fedora",
  almalinux: "fedora",
  manjaro: "arch",
  endeavouros: "arch",
};

/** Where the package is not named as the tool is: by distribution, `*` for all others. */
const parcels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gcc: { gentoo: "sys-devel/gcc" },
  "g++": { gentoo: "sys-devel/gcc", fedora: "gcc-c++", arch: "gcc", alpine: "g++" },
  gfortran: { gentoo: "sys-devel/gcc", fedora: "gcc-gfortran", arch: "gcc-fortran" },
  cc: { "*": "gcc", gentoo: "sys-devel/gcc" },
  "c++": { "*": "g++", gentoo: "sys-devel/gcc", fedora: "gcc-c++", arch: "gcc" },
  clang: { gentoo: "llvm-core/clang" },
  "clang++": { "*": "clang", gentoo: "llvm-core/clang" },
  lld: { gentoo: "llvm-core/lld" },
  ninja: { debian: "ninja-build", fedora: "ninja-build", gentoo: "dev-build/ninja" },
  cmake: { gentoo: "dev-build/cmake" },
  make: { gentoo: "dev-build/make" },
  meson: { gentoo: "dev-build/meson" },
  go: { debian: "golang-go", fedora: "golang", gentoo: "dev-lang/go" },
  rustc: { fedora: "rust", arch: "rust", alpine: "rust", gentoo: "dev-lang/rust" },
  cargo: { arch: "rust", gentoo: "dev-lang/rust" },
  java: {
    debian: "default-jre-headless",
    fedora: "java-latest-openjdk-headless",
    arch: "jre-openjdk-headless",
    alpine: "openjdk17-jre-headless",
    gentoo: "virtual/jre",
  },
  javac: {
    debian: "default-jdk-headless",
    fedora: "java-latest-openjdk-devel",
    arch: "jdk-openjdk",
    alpine: "openjdk17-jdk",
    gentoo: "virtual/jdk",
  },
  node: { debian: "nodejs", fedora: "nodejs", arch: "nodejs", alpine: "nodejs", gentoo: "net-libs/nodejs" },
  python3: { arch: "python", gentoo: "dev-lang/python" },
  "pkg-config": {
    fedora: "pkgconf-pkg-config",
    arch: "pkgconf",
    alpine: "pkgconf",
    gentoo: "dev-util/pkgconf",
  },
  gpg: { debian: "gnupg", fedora: "gnupg2", arch: "gnupg", alpine: "gnupg", gentoo: "app-crypt/gnupg" },
  xz: { debian: "xz-utils", gentoo: "app-arch/xz-utils" },
  awk: { "*": "gawk" },
  install: { "*": "coreutils" },
  find: { "*": "findutils" },
  diff: { "*": "diffutils" },
};

const binutils = new Set(["ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "strip"]);

/** `aarch64-linux-gnu-g++` → the triple and the tool behind it. */
function crossOf(name: string): { target: string; tool: string } | undefined {
  const [, target, tool] = /^([a-z0-9_]+(?:-[a-z0-9_]+){1,3})-([a-z+]+)$/.exec(name) ?? [];
  return target === undefined || tool === undefined ? undefined : { target, tool };
}

/** The package, or undefined where nobody said. */
function parcelOf(name: string, distribution: string): string | undefined {
  const [, plain = name, version] = /^(gcc|g\+\+|gfortran|clang)-([0-9]+)$/.exec(name) ?? [];
  if (version !== undefined) return distribution === "debian" ? name : parcelOf(plain, distribution);
  const cross = crossOf(name);
  if (cross) {
    const debian = cross.target.replaceAll("_", "-");
    const compiler = ["gcc", "g++", "gfortran"].includes(cross.tool);
    if (distribution === "gentoo") return `sys-devel/crossdev, then crossdev --target ${cross.target}`;
    const part = compiler ? "gcc" : "binutils";
    if (distribution === "arch") return `${cross.target}-${part}`;
    if (distribution === "fedora") return `${part}-${cross.target}`;
    if (distribution === "alpine") return undefined;
    return compiler ? `${cross.tool}-${debian}` : `binutils-${debian}`;
  }
  if (binutils.has(name)) return distribution === "gentoo" ? "sys-devel/binutils" : "binutils";
  const known = parcels[name];
  return known?.[distribution] ?? known?.["*"] ?? name;
}

/** One line that installs a tool. `distribution`: `ID` of os-release, where it is known. `newer`: which version comes with it matters. */
export function remedyFor(name: string, distribution: string | undefined, newer = false): string {
  const own = distribution === undefined ? undefined : (kin[distribution] ?? distribution);
  const installer = own === undefined ? undefined : installers[own];
  const parcel = parcelOf(name, own ?? "debian");
  const version = newer ? ", in a version that is asked for" : "";
  if (installer === undefined || parcel === undefined) return `install ${name}${version}`;
  return `${installer} ${parcel}${version}`;
}
