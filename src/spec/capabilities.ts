/** Linux capabilities by name (capabilities(7)); the index of a name is its bit. */
import { BerthError } from "../errors.ts";

export const allCapabilities: readonly string[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
].map((name) => `CAP_${name}`);

/** What a container gets without asking (contract 1.3.4): Docker's fourteen. */
export const defaultCapabilities: readonly string[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FSETID",
  "FOWNER",
  "MKNOD",
  "NET_RAW",
  "SETGID",
  "SETUID",
  "SETFCAP",
  "SETPCAP",
  "NET_BIND_SERVICE",
  "SYS_CHROOT",
  "KILL",
  "AUDIT_WRITE",
].map((name) => `CAP_${name}`);

const known: ReadonlySet<string> = new Set(allCapabilities);

/** `CAP_NET_ADMIN` or `ALL`; prefix and case are optional. Throws `invalid_spec` for an unknown name. */
export function parseCapability(text: string, field: string): string {
  const upper = text.trim().toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (!known.has(name)) {
    throw new BerthError("invalid_spec", `${field}: ${JSON.stringify(text)} is not a linux capability; use a name such as NET_ADMIN, or ALL`);
  }
  return name;
}

/** Names of the bits set in a mask of `/proc/<pid>/status`, such as `000001ffffffffff`. Bits without a name are left out. */
export function capabilitiesOfMask(hex: string): readonly string[] {
  const mask = BigInt(`0x${hex}`);
  return allCapabilities.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}

/**
 * What a container asks for: the defaults plus `add`, minus `drop`. Dropping `ALL` drops the defaults, so that what was added
 * stays (Docker's rule); adding `ALL` starts from every capability.
 */
export function wantedCapabilities(o: { readonly add: readonly string[]; readonly drop: readonly string[]; readonly privileged: boolean }): readonly string[] {
  const everything = o.privileged ? !o.drop.includes("ALL") || o.add.includes("ALL") : o.add.includes("ALL");
  const base = everything ? allCapabilities : o.drop.includes("ALL") ? [] : defaultCapabilities;
  const wanted = new Set([...base, ...o.add.filter((name) => name !== "ALL")]);
  for (const name of o.drop) wanted.delete(name);
  return allCapabilities.filter((name) => wanted.has(name));
}
