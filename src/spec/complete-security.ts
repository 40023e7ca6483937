/** Devices, privileges and namespaces of a spec (contract 1.3.4). */
import { BerthError } from "../errors.ts";
import { parseCapability } from "./capabilities.ts";
import { absolutePath, boolean, invalid, nonEmptyText, onlyKeys, optional, record, stringMapOf } from "./fields.ts";
import type { DeviceSpec } from "./service-spec.ts";

export function completeDevice(value: unknown, field: string): DeviceSpec {
  const fields = record(value, field);
  onlyKeys(fields, field, ["path", "containerPath", "read", "write", "mknod"]);
  const flag = (name: string): boolean | undefined => optional(fields[name], `${field}.${name}`, boolean);
  const [read, write, mknod] = [flag("read") ?? true, flag("write") ?? true, flag("mknod") ?? false];
  const none = !read && !write && !mknod;
  const path = absolutePath(fields["path"], `${field}.path`);
  return {
    path,
    containerPath: optional(fields["containerPath"], `${field}.containerPath`, absolutePath) ?? path,
    read: read || none,
    write: write || none,
    mknod,
  };
}

export function capabilityList(value: unknown, field: string): readonly string[] {
  if (!Array.isArray(value)) throw invalid(field, "expected a list");
  return [...new Set(value.map((name, index) => parseCapability(nonEmptyText(name, `${field}[${index}]`), field)))];
}

/** `user`, `user:group`; looked up when the container's files are there. */
export function userText(value: unknown, field: string): string {
  const user = nonEmptyText(value, field);
  if (!/^[^:\s]+(?::[^:\s]+)?$/.test(user)) throw invalid(field, `${JSON.stringify(user)} must be <uid or name>[:<gid or group>]`);
  return user;
}

export function usernsMode(value: unknown, field: string): string | undefined {
  const mode = value === "" ? undefined : nonEmptyText(value, field);
  if (mode === undefined || mode === "host") return mode;
  throw new BerthError("unsupported", `${field}: user namespace remapping is not supported; use "host" or leave it out`);
}

export function pidMode(value: unknown, field: string): string | undefined {
  return namespaceMode(value, field, ["host"]);
}

export function ipcMode(value: unknown, field: string): string | undefined {
  return namespaceMode(value, field, ["host", "none", "shareable"]);
}

/** `private` is what absence means. */
function namespaceMode(value: unknown, field: string, words: readonly string[]): string | undefined {
  if (value === "" || value === "private") return undefined;
  const mode = nonEmptyText(value, field);
  if (words.includes(mode) || /^container:\S+$/.test(mode)) return mode;
  throw invalid(field, `${JSON.stringify(mode)} is not one of private, ${words.join(", ")}, container:<id>`);
}

export function cgroupParent(value: unknown, field: string): string | undefined {
  if (value === "") return undefined;
  const parent = nonEmptyText(value, field);
  if (parent.split("/").some((part) => part === "..")) throw invalid(field, `${JSON.stringify(parent)} must not contain ".."`);
  return parent;
}

const ipcSysctls: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Only parameters of a namespace the container has to itself; any other would change the host. */
export function completeSysctls(value: unknown, o: { readonly hostNetwork: boolean; readonly hostIpc: boolean }): Readonly<Record<string, string>> {
  const read = stringMapOf((name) => {
    // Both separators are in use: net/ipv4/conf/eth0.1/forwarding names an interface with a dot.
    const first = name.replaceAll("/", ".");
    if (first.split(".").some((part) => part === "")) throw invalid("sysctls", `${JSON.stringify(name)} is not a kernel parameter`);
    const isNet = first.startsWith("net.");
    const isIpc = first.startsWith("fs.mqueue.") || ipcSysctls.has(first);
    if (!isNet && !isIpc) throw invalid("sysctls", `${JSON.stringify(name)} is not namespaced and would change the host; set it there`);
    if (isNet && o.hostNetwork) throw invalid("sysctls", `${JSON.stringify(name)} is not allowed with host network`);
    if (isIpc && o.hostIpc) throw invalid("sysctls", `${JSON.stringify(name)} is not allowed with ipcMode host`);
  });
  return read(value, "sysctls");
}
