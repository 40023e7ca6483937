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

/** `linux/arm64` or `linux/arm/v7`, as Docker prints and accepts it. */
export function platformToString(platform: OciPlatform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/** Reads `os/arch[/variant]`; `arch` alone means Linux. Throws `invalid_spec`. */
export function parsePlatform(text: string): TargetPlatform {
  const parts = text.toLowerCase().split("/");
  const [os, arch, variant] = parts.length === 1 ? ["linux", parts[0], undefined] : parts;
  const knownOs = os === "darwin" ? "macos" : os;
  if ((knownOs !== "linux" && knownOs !== "windows" && knownOs !== "macos") || !arch || parts.length > 3) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a platform; expected os/arch[/variant], such as linux/arm64`);
  }
  return { os: knownOs, arch: archAliases[arch] ?? arch, variant };
}

const archAliases: Readonly<Record<string, string>> = { x86_64: "amd64", "x86-64": "amd64", aarch64: "arm64", armhf: "arm" };

/** Whether content built for `offered` runs on `wanted`. A missing variant means the architecture's usual one. */
export function platformMatches(wanted: OciPlatform, offered: OciPlatform): boolean {
  return (
    wanted.os === offered.os &&
    wanted.architecture === offered.architecture &&
    (wanted.variant === undefined || normalVariant(wanted) === normalVariant(offered))
  );
}

function normalVariant(platform: OciPlatform): string {
  if (platform.architecture === "arm64") return platform.variant ?? "v8";
  if (platform.architecture === "arm") return platform.variant ?? "v7";
  return platform.variant ?? "";
}
