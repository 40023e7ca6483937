/** Network namespaces of processes, entered for the length of one synchronous function. */
import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { BerthError } from "../errors.ts";
import { CLONE, setns } from "../internal/libc.ts";

const ownNamespace = "/proc/thread-self/ns/net";

/**
 * Opens the network namespace of a process. The descriptor stays good when the process ends. Throws `network` when the
 * process is gone or has the namespace of the host, which must never be configured as a container's.
 */
export function openNamespace(pid: number): { readonly fd: number; [Symbol.dispose](): void } {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/ns/net`, "r");
  } catch (cause) {
    throw new BerthError("network", `process ${pid} has no network namespace to attach to; it has ended`, { cause });
  }
  if (fstatSync(fd).ino === statSync(ownNamespace).ino) {
    closeSync(fd);
    throw new BerthError("network", `process ${pid} shares the network of the host; refusing to configure it as a container`);
  }
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** Runs `work` on this thread inside the namespace. It must not await: what it opens stays bound to the namespace. */
export function withinNamespace<T>(fd: number, work: () => T): T {
  const home = openSync(ownNamespace, "r");
  try {
    setns(fd, CLONE.NEWNET);
    try {
      return work();
    } finally {
      setns(home, CLONE.NEWNET);
    }
  } finally {
    closeSync(home);
  }
}
