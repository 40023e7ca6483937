import { BerthError } from "../errors.ts";

/** Platform as spelled in OCI documents (image-spec image-index.md). */
export interface OciPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
  readonly osVersion?: string | undefined;
}

/** Platform a caller may ask for (contract 1.3.1). `macos` is `darwin` in OCI documents. */
export interface TargetPlatform {
  readonly os: "linux" | "windows" | "macos";
  readonly arch: "amd64" | "arm64" | (string & {});
  readonly variant?: string | undefined;
  readonly osVersion?: string | undefined;
}

const nodeArch: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", arm: "arm", arm64: "arm64", ppc64: "ppc64le" };

export function hostPlatform(): OciPlatform {
  const architecture = nodeArch[process.arch] ?? process.arch;
  return { os: process.platform === "win32" ? "windows" : process.platform, architecture };
}

export function toOciPlatform(target: TargetPlatform | undefined): OciPlatform {
  if (target === undefined) return hostPlatform();
  return {
    os: target.os === "macos" ? "darwin" : target.os,
    architecture: target.arch,
    variant: target.variant,
    osVersion: target.osVersion,
  };
}

/** The other way round; an operating system nobody can ask for is taken for Linux's kin. */
export function fromOciPlatform({ os, architecture, variant, osVersion }: OciPlatform): TargetPlatform {
  return { os: os === "darwin" ? "macos" : os === "windows" ? "windows" : "linux", arch: architecture, variant, osVersion };
}

/** `linux/arm64` or `linux/arm/v7`, as Docker prints and accepts it. */
export function platformToString(platform: OciPlatform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/**
 * Reads `os/arch[/variant]`; `arch` alone means Linux, `os` alone this machine's architecture. Usual other spellings
 * (`x86_64`, `aarch64`, `armhf`) become OCI's. Throws `invalid_spec`.
 */
export function parsePlatform(text: string): TargetPlatform {
  const parts = text.toLowerCase().split("/");
  const [first = "", second, third] = parts;
  const os = targetOs(parts.length === 1 ? (targetOs(first) === undefined ? "linux" : first) : first);
  const arch = parts.length > 1 ? second : targetOs(first) === undefined ? first : hostPlatform().architecture;
  if (os === undefined || arch === undefined || parts.length > 3 || ![arch, third ?? "v"].every((part) => /^[a-z0-9][a-z0-9_.-]*$/.test(part))) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a platform; expected os/arch[/variant], such as linux/arm64`);
  }
  const { architecture, variant } = normalArchitecture(arch);
  return { os, arch: architecture, variant: third ?? variant };
}

function targetOs(text: string): TargetPlatform["os"] | undefined {
  if (text === "darwin") return "macos";
  return text === "linux" || text === "windows" || text === "macos" ? text : undefined;
}

const archAliases: ReadonlyMap<string, { readonly architecture: string; readonly variant?: string }> = new Map([
  ["x86_64", { architecture: "amd64" }],
  ["x86-64", { architecture: "amd64" }],
  ["aarch64", { architecture: "arm64" }],
  ["i386", { architecture: "386" }],
  ["armhf", { architecture: "arm", variant: "v7" }],
  ["armel", { architecture: "arm", variant: "v6" }],
]);

function normalArchitecture(arch: string): { readonly architecture: string; readonly variant?: string | undefined } {
  return archAliases.get(arch) ?? { architecture: arch };
}

/** Whether content built for `offered` runs on `wanted`. A missing variant means the architecture's usual one. */
export function platformMatches(wanted: OciPlatform, offered: OciPlatform): boolean {
  return platformRank(wanted, offered) !== undefined;
}

/**
 * How far `offered` is from `wanted`: 0 is the very platform, a higher number an older variant that runs there as well
 * (arm v6 on v7, amd64 v1 on v3). `undefined` when it does not run.
 */
export function platformRank(wanted: OciPlatform, offered: OciPlatform): number | undefined {
  const [want, have] = [normalPlatform(wanted), normalPlatform(offered)];
  if (want.os !== have.os || want.architecture !== have.architecture || !sameOsVersion(want, have)) return undefined;
  const [newest, offeredVersion] = [variantNumber(want.variant), variantNumber(have.variant)];
  if (newest === undefined || offeredVersion === undefined) return want.variant === have.variant ? 0 : undefined;
  return offeredVersion <= newest ? newest - offeredVersion : undefined;
}

/** Lowest level every CPU of the architecture has; for arm the one Docker takes as usual. */
const usualVariant: ReadonlyMap<string, string> = new Map([
  ["arm64", "v8"],
  ["arm", "v7"],
  ["amd64", "v1"],
]);

function normalPlatform(platform: OciPlatform): OciPlatform {
  const { architecture, variant } = normalArchitecture(platform.architecture.toLowerCase());
  const own = platform.variant?.toLowerCase() || variant || usualVariant.get(architecture);
  return { ...platform, os: platform.os.toLowerCase(), architecture, variant: own };
}

/** `v8` is 8, `v8.2` is 8.2, a bare `7` is 7. */
function variantNumber(variant: string | undefined): number | undefined {
  const digits = /^v?(\d{1,3}(?:\.\d{1,3})?)$/.exec(variant ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Windows containers need the host's build: the first three of its numbers. Asked only when the caller names one. */
function sameOsVersion(wanted: OciPlatform, offered: OciPlatform): boolean {
  if (wanted.osVersion === undefined || offered.osVersion === undefined) return true;
  const build = (version: string): string => version.split(".").slice(0, 3).join(".");
  return build(wanted.osVersion) === build(offered.osVersion);
}
