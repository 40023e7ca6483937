import { closeSync, constants, openSync } from "node:fs";
import { BerthError } from "../errors.ts";
import { call, errnoCode, MS, mount, O_PATH } from "./libc.ts";

/** A mount as data; `Mount` of spec/ fits. */
export interface MountCall {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
  readonly readonly?: boolean | undefined;
}

/** mount(2) takes one page of options; some of it is kept for what the kernel adds. */
const maxOptionBytes = 4000;

/**
 * Performs a mount. Overlay options that do not fit into one page name their lower directories by descriptor, and where
 * even that is too long are handed over one by one, which needs Linux 6.5.
 */
export function performMount(m: MountCall): void {
  const data = m.options.join(",");
  const flags = m.readonly === true ? MS.RDONLY : 0;
  if (Buffer.byteLength(data) <= maxOptionBytes) mount(m.source, m.target, m.type, flags, data);
  else if (m.type === "overlay") mountManyLayers(m, flags);
  else throw new BerthError("invalid_spec", `the mount options of ${m.target} are longer than ${maxOptionBytes} bytes`);
}

const lowerOption = "lowerdir=";

function mountManyLayers(m: MountCall, flags: number): void {
  const lower = m.options.find((option) => option.startsWith(lowerOption))?.slice(lowerOption.length) ?? "";
  const others = m.options.filter((option) => !option.startsWith(lowerOption));
  const fds = lower.split(/(?<!\\):/).map((path) => openSync(unescaped(path), O_PATH | constants.O_DIRECTORY));
  try {
    const paths = fds.map((fd) => `/proc/self/fd/${fd}`);
    const data = [`${lowerOption}${paths.join(":")}`, ...others].join(",");
    if (Buffer.byteLength(data) <= maxOptionBytes) mount(m.source, m.target, m.type, flags, data);
    else mountOneByOne(m, paths, others.map(unescaped));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

const SYS = { move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6 } as const;
const CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_FDCWD = -100;

function mountOneByOne(m: MountCall, lower: readonly string[], others: readonly string[]): void {
  const context = syscall(`fsopen ${m.type}`, SYS.fsopen, "const char *", m.type, "unsigned int", CLOEXEC);
  try {
    if (m.readonly === true) configure(context, FSCONFIG.SET_FLAG, "ro", null);
    for (const path of lower) configure(context, FSCONFIG.SET_STRING, "lowerdir+", path);
    for (const option of others) {
      const equals = option.indexOf("=");
      configure(context, FSCONFIG.SET_STRING, option.slice(0, equals), option.slice(equals + 1));
    }
    configure(context, FSCONFIG.CMD_CREATE, null, null);
    attach(context, m.target);
  } catch (cause) {
    if (errnoCode(cause) !== "EINVAL") throw cause;
    throw new BerthError("unsupported", `this kernel cannot mount ${lower.length} layers at once; it needs Linux 6.5, or squash the image`, { cause });
  } finally {
    closeSync(context);
  }
}

function attach(context: number, target: string): void {
  const fd = syscall("fsmount", SYS.fsmount, "int", context, "unsigned int", CLOEXEC, "unsigned int", 0);
  try {
    syscall(
      `move_mount ${target}`,
      SYS.move_mount,
      "int",
      fd,
      "const char *",
      "",
      "int",
      AT_FDCWD,
      "const char *",
      target,
      "unsigned int",
      MOVE_MOUNT_F_EMPTY_PATH,
    );
  } finally {
    closeSync(fd);
  }
}

function configure(context: number, command: number, key: string | null, value: string | null): void {
  const subject = `fsconfig ${key ?? "create"}`;
  syscall(subject, SYS.fsconfig, "int", context, "unsigned int", command, "const char *", key, "const char *", value, "int", 0);
}

function syscall(subject: string, number: number, ...args: readonly unknown[]): number {
  return call("long syscall(long number, ...)", subject, number, ...args);
}
