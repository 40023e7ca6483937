/**
 * Compiles a seccomp profile into the filter program the kernel runs, ahead of time.
 *
 * crun compiles the profile at every start: 25–35 ms, more than the rest of a start together. Handed the finished program in
 * an annotation it skips that. The compiler is libseccomp, the same one crun uses, and the program depends on nothing but
 * the profile, so it is made once and kept.
 */
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import type { OciSeccomp, OciSyscallRule } from "../spec/runtime-spec.ts";

/** crun(1), "annotations": base64 of the program, used in place of compiling the profile. */
export const bpfAnnotation = "run.oci.seccomp_bpf_data";

const cached = new Map<string, string>();

/**
 * Base64 of the compiled profile; kept in `directory` for later processes. `undefined` when libseccomp is not there or does
 * not take the profile: the OCI runtime then compiles it and says what is wrong.
 */
export function compiledSeccomp(profile: OciSeccomp, directory: string): string | undefined {
  const key = createHash("sha256").update(JSON.stringify(profile)).digest("hex");
  const known = cached.get(key) ?? readKept(join(directory, key));
  if (known !== undefined) {
    cached.set(key, known);
    return known;
  }
  const program = compile(profile, join(directory, `${key}.${process.pid}.tmp`), directory);
  if (program === undefined) return undefined;
  const text = program.toString("base64");
  writeFileSync(join(directory, `${key}.${process.pid}.new`), text, { mode: 0o600 });
  renameSync(join(directory, `${key}.${process.pid}.new`), join(directory, key));
  cached.set(key, text);
  return text;
}

function readKept(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

type LibSeccomp = Readonly<Record<"init" | "release" | "archAdd" | "archName" | "attribute" | "resolve" | "rule" | "export", (...args: unknown[]) => unknown>>;

let library: LibSeccomp | null | undefined;

function libseccomp(): LibSeccomp | null {
  if (library === undefined) {
    try {
      const lib = koffi.load("libseccomp.so.2");
      library = {
        init: lib.func("void *seccomp_init(uint32_t action)"),
        release: lib.func("void seccomp_release(void *filter)"),
        archAdd: lib.func("int seccomp_arch_add(void *filter, uint32_t arch)"),
        archName: lib.func("uint32_t seccomp_arch_resolve_name(const char *name)"),
        attribute: lib.func("int seccomp_attr_set(void *filter, int attribute, uint32_t value)"),
        resolve: lib.func("int seccomp_syscall_resolve_name(const char *name)"),
        rule: lib.func("int seccomp_rule_add_array(void *filter, uint32_t action, int syscall, unsigned int count, const void *comparisons)"),
        export: lib.func("int seccomp_export_bpf(void *filter, int fd)"),
      };
    } catch {
      library = null;
    }
  }
  return library;
}

/** SCMP_FLTATR_CTL_OPTIMIZE = 2 sorts the syscalls into a binary tree: fewer steps for every syscall the container makes. */
const [optimize, binaryTree] = [8, 2];
const EEXIST = -17;

function compile(profile: OciSeccomp, scratch: string, directory: string): Buffer | undefined {
  const lib = libseccomp();
  const fallback = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  if (lib === null || fallback === undefined) return undefined;
  const filter = lib.init(fallback);
  if (filter === null) return undefined;
  try {
    for (const arch of profile.architectures ?? []) {
      const token = lib.archName(arch.replace("SCMP_ARCH_", "").toLowerCase());
      const added = token === 0 ? -1 : Number(lib.archAdd(filter, token));
      if (added !== 0 && added !== EEXIST) return undefined;
    }
    lib.attribute(filter, optimize, binaryTree);
    if (!(profile.syscalls ?? []).every((rule) => addRule(lib, filter, rule, fallback))) return undefined;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const fd = openSync(scratch, "w", 0o600);
    const exported = lib.export(filter, fd);
    closeSync(fd);
    return exported === 0 ? readFileSync(scratch) : undefined;
  } finally {
    lib.release(filter);
    rmSync(scratch, { force: true });
  }
}

function addRule(lib: LibSeccomp, filter: unknown, rule: OciSyscallRule, fallback: number): boolean {
  const action = actionValue(rule.action, rule.errnoRet);
  if (action === undefined) return false;
  // What the default does anyway is refused as a rule.
  if (action === fallback) return true;
  const comparisons = comparisonBytes(rule.args ?? []);
  return rule.names.every((name) => {
    const number = Number(lib.resolve(name));
    // A name this libseccomp does not know falls to the default action, as in the OCI runtimes.
    return number === -1 || lib.rule(filter, action, number, rule.args?.length ?? 0, comparisons) === 0;
  });
}

const operators: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** `struct scmp_arg_cmp[]`: unsigned argument, enum operator, two 64-bit operands. */
function comparisonBytes(args: NonNullable<OciSyscallRule["args"]>): Buffer {
  const bytes = Buffer.alloc(24 * Math.max(args.length, 1));
  for (const [index, { index: argument, op, value, valueTwo }] of args.entries()) {
    bytes.writeUInt32LE(argument, index * 24);
    bytes.writeUInt32LE(operators[op] ?? 0, index * 24 + 4);
    bytes.writeBigUInt64LE(BigInt(value), index * 24 + 8);
    bytes.writeBigUInt64LE(BigInt(valueTwo ?? 0), index * 24 + 16);
  }
  return bytes;
}

const EPERM = 1;

/** libseccomp's `SCMP_ACT_*`; `undefined` for actions that need more than a program. */
function actionValue(action: string, errnoRet: number | undefined): number | undefined {
  switch (action) {
    case "SCMP_ACT_ALLOW":
      return 0x7fff0000;
    case "SCMP_ACT_ERRNO":
      return 0x00050000 | (errnoRet ?? EPERM);
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return 0;
    case "SCMP_ACT_KILL_PROCESS":
      return 0x80000000;
    case "SCMP_ACT_TRAP":
      return 0x00030000;
    case "SCMP_ACT_LOG":
      return 0x7ffc0000;
    default:
      return undefined;
  }
}
