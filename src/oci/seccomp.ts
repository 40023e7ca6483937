/** Seccomp profiles: Docker's conditional form, turned into the flat form of the OCI runtime spec (contract 1.3.4, A-26). */
import { readFileSync } from "node:fs";
import { BerthError, messageOf } from "../errors.ts";
import { isRecord, stringList } from "../spec/descriptor.ts";
import type { OciSeccomp, OciSyscallArg, OciSyscallRule } from "../spec/runtime-spec.ts";

/** Docker's form: rules hold only under conditions that OCI runtimes do not understand. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number | undefined;
  /** Used as it stands when there is no `archMap`. */
  readonly architectures: readonly string[];
  readonly archMap: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  readonly flags: readonly string[];
  readonly syscalls: readonly ConditionalRule[];
}

interface ConditionalRule extends OciSyscallRule {
  readonly includes: Condition;
  readonly excludes: Condition;
}

interface Condition {
  readonly caps: readonly string[];
  readonly arches: readonly string[];
  readonly minKernel?: string | undefined;
}

/** What a profile's conditions are asked about. */
export interface SeccompFacts {
  readonly capabilities: readonly string[];
  /** As in OCI documents: `amd64`, `arm64`, … */
  readonly arch: string;
  /** Kernel release, such as `6.18.4-arch1`. */
  readonly kernel: string;
}

const ociArchitecture: Readonly<Record<string, string>> = {
  amd64: "SCMP_ARCH_X86_64",
  "386": "SCMP_ARCH_X86",
  arm64: "SCMP_ARCH_AARCH64",
  arm: "SCMP_ARCH_ARM",
  ppc64le: "SCMP_ARCH_PPC64LE",
  s390x: "SCMP_ARCH_S390X",
  riscv64: "SCMP_ARCH_RISCV64",
  loong64: "SCMP_ARCH_LOONGARCH64",
};

let parsedDefault: SeccompProfile | undefined;
const converted = new Map<string, OciSeccomp>();

/** The default profile for a container with these capabilities. Converted once per process, architecture and capability set. */
export function defaultSeccomp(facts: SeccompFacts): OciSeccomp {
  const key = `${facts.arch} ${facts.kernel} ${facts.capabilities.join(" ")}`;
  let found = converted.get(key);
  if (found === undefined) {
    parsedDefault ??= parseSeccompProfile(readFileSync(new URL("./seccomp-default.json", import.meta.url), "utf8"), "the default seccomp profile");
    found = convertSeccomp(parsedDefault, facts);
    converted.set(key, found);
  }
  return found;
}

/**
 * What `securityOpt: seccomp=…` asks for: `undefined` for none at all. Reads the file when a path was given.
 * Throws `invalid_spec` for a profile that is missing or malformed.
 */
export function seccompFor(option: string | undefined, o: { readonly privileged: boolean } & SeccompFacts): OciSeccomp | undefined {
  if (option === "unconfined" || (option === undefined && o.privileged)) return undefined;
  if (option === undefined) return defaultSeccomp(o);
  const what = option.startsWith("{") ? "the seccomp profile" : `seccomp profile ${option}`;
  return convertSeccomp(parseSeccompProfile(option.startsWith("{") ? option : readProfile(option), what), o);
}

function readProfile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new BerthError("invalid_spec", `seccomp profile ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Rules whose conditions hold; what a missing capability switched off is refused with EPERM rather than with the default. */
export function convertSeccomp(profile: SeccompProfile, facts: SeccompFacts): OciSeccomp {
  const active = profile.syscalls.filter((rule) => holds(rule, facts));
  const syscalls = active.map(({ includes: _includes, excludes: _excludes, ...rule }) => rule);
  const refused = profile.defaultErrnoRet === undefined || profile.defaultErrnoRet === 1 ? [] : switchedOff(profile.syscalls, active);
  if (refused.length > 0) syscalls.push({ names: refused, action: "SCMP_ACT_ERRNO", errnoRet: 1 });
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: architecturesFor(profile, facts.arch),
    ...(profile.flags.length === 0 ? {} : { flags: profile.flags }),
    syscalls,
  };
}

function switchedOff(all: readonly ConditionalRule[], active: readonly ConditionalRule[]): readonly string[] {
  const decided = new Set(active.flatMap((rule) => rule.names));
  const known = new Set(all.filter((rule) => rule.includes.caps.length > 0).flatMap((rule) => rule.names));
  return [...known].filter((name) => !decided.has(name)).sort();
}

function architecturesFor(profile: SeccompProfile, arch: string): readonly string[] {
  const native = ociArchitecture[arch];
  const entry = profile.archMap.find((candidate) => candidate.architecture === native);
  if (entry !== undefined) return [entry.architecture, ...entry.subArchitectures];
  return profile.architectures.length > 0 || native === undefined ? profile.architectures : [native];
}

/** All of the included capabilities, one of the included architectures, none of the excluded ones (moby profiles/seccomp). */
function holds(rule: ConditionalRule, facts: SeccompFacts): boolean {
  const { includes, excludes } = rule;
  const has = (name: string): boolean => facts.capabilities.includes(name);
  if (excludes.arches.includes(facts.arch) || excludes.caps.some(has)) return false;
  if (excludes.minKernel !== undefined && kernelAtLeast(facts.kernel, excludes.minKernel)) return false;
  if (includes.arches.length > 0 && !includes.arches.includes(facts.arch)) return false;
  if (includes.minKernel !== undefined && !kernelAtLeast(facts.kernel, includes.minKernel)) return false;
  return includes.caps.every(has);
}

/** Compares the first two numbers of kernel releases. */
export function kernelAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Reads a profile in Docker's or in OCI form. Throws `invalid_spec`. */
export function parseSeccompProfile(text: string, what: string): SeccompProfile {
  const fields = parseObject(text, what);
  const { defaultAction, defaultErrnoRet } = fields;
  if (typeof defaultAction !== "string") throw new BerthError("invalid_spec", `${what} has no defaultAction`);
  const rules = fields["syscalls"] ?? [];
  if (!Array.isArray(rules)) throw new BerthError("invalid_spec", `${what}: syscalls is not a list`);
  return {
    defaultAction,
    defaultErrnoRet: typeof defaultErrnoRet === "number" ? defaultErrnoRet : undefined,
    architectures: stringList(fields["architectures"]) ?? [],
    archMap: Array.isArray(fields["archMap"]) ? fields["archMap"].filter(isRecord).map(parseArchitecture) : [],
    flags: stringList(fields["flags"]) ?? [],
    syscalls: rules.map((rule, index) => parseRule(rule, `${what}: syscalls[${index}]`)),
  };
}

function parseObject(text: string, what: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BerthError("invalid_spec", `${what} is not valid JSON`, { cause });
  }
  if (!isRecord(value)) throw new BerthError("invalid_spec", `${what} is not a JSON object`);
  return value;
}

function parseArchitecture(entry: Readonly<Record<string, unknown>>): SeccompProfile["archMap"][number] {
  return { architecture: String(entry["architecture"]), subArchitectures: stringList(entry["subArchitectures"]) ?? [] };
}

function parseRule(value: unknown, what: string): ConditionalRule {
  if (!isRecord(value)) throw new BerthError("invalid_spec", `${what} is not an object`);
  const { action, errnoRet, name, args } = value;
  const names = typeof name === "string" && name !== "" ? [name] : stringList(value["names"]);
  if (typeof action !== "string" || names === undefined) throw new BerthError("invalid_spec", `${what} lacks names or action`);
  return {
    names,
    action,
    ...(typeof errnoRet === "number" ? { errnoRet } : {}),
    ...(Array.isArray(args) && args.length > 0 ? { args: args.map((arg) => parseArg(arg, what)) } : {}),
    includes: parseCondition(value["includes"]),
    excludes: parseCondition(value["excludes"]),
  };
}

function parseArg(value: unknown, what: string): OciSyscallArg {
  const fields = isRecord(value) ? value : {};
  const { index, value: compared, valueTwo, op } = fields;
  if (typeof index !== "number" || typeof compared !== "number" || typeof op !== "string") {
    throw new BerthError("invalid_spec", `${what} has an argument without index, value or op`);
  }
  return { index, value: compared, ...(typeof valueTwo === "number" ? { valueTwo } : {}), op };
}

function parseCondition(value: unknown): Condition {
  const fields = isRecord(value) ? value : {};
  return {
    caps: stringList(fields["caps"]) ?? [],
    arches: stringList(fields["arches"]) ?? [],
    minKernel: typeof fields["minKernel"] === "string" ? fields["minKernel"] : undefined,
  };
}
