import { closeSync, readFileSync } from "node:fs";
import koffi from "koffi";
import { errnoCode, ioctl, pidfdOpen, pidfdSendSignal } from "./libc.ts";

/** A process named so that a pid used again is not taken for it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly startTicks: number;
}

/** `undefined` when there is no such process, or only its zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { pid, startTicks: Number(fields[19]) };
}

export function isAlive(process: ProcessIdentity | undefined): boolean {
  return process !== undefined && identifyProcess(process.pid)?.startTicks === process.startTicks;
}

const PF_EXITING = 0x4;

/** Whether it is gone or on its way: a dying init waits for the others of its pid namespace first. */
export function isEnding(process: ProcessIdentity): boolean {
  const fields = statFields(process.pid);
  if (fields === undefined || Number(fields[19]) !== process.startTicks) return true;
  return fields[0] === "Z" || fields[0] === "X" || (Number(fields[6]) & PF_EXITING) !== 0;
}

/** Id of the group the process is in; `undefined` when the process is gone or in the group of this one. */
export function processGroup(pid: number): number | undefined {
  const group = Number(statFields(pid)?.[2]);
  return group > 1 && group !== Number(statFields(process.pid)?.[2]) ? group : undefined;
}

/** Fields from the state on; the command before it may hold spaces and parentheses. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** An open pidfd; `undefined` when the process is gone. */
export function openProcess(process: ProcessIdentity): PidFd | undefined {
  let fd: number;
  try {
    fd = pidfdOpen(process.pid);
  } catch {
    return undefined;
  }
  // The pid may have been taken over between the record and the open: only the start time tells.
  if (statFields(process.pid)?.[19] === String(process.startTicks)) return new PidFd(fd);
  closeSync(fd);
  return undefined;
}

const PIDFD_GET_INFO = 0xc040ff0bn;
const PIDFD_INFO_EXIT = 1n << 3n;

export class PidFd implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** `false` when the process is gone. */
  signal(signal: number): boolean {
    try {
      pidfdSendSignal(this.#fd, signal);
      return true;
    } catch (error) {
      if (errnoCode(error) === "ESRCH") return false;
      throw error;
    }
  }

  /**
   * The wait status (as wait(2) gives it) of a process that was reaped by somebody else. Needs Linux 6.15;
   * `undefined` on older kernels and while the process still waits to be reaped.
   */
  waitStatus(): number | undefined {
    const info = new DataView(new ArrayBuffer(64));
    info.setBigUint64(0, PIDFD_INFO_EXIT, true);
    try {
      ioctl(this.#fd, PIDFD_GET_INFO, info);
    } catch {
      return undefined;
    }
    return (info.getBigUint64(0, true) & PIDFD_INFO_EXIT) === 0n ? undefined : info.getInt32(60, true);
  }

  /** `false` when it runs for certain. */
  mayHaveEnded(): boolean {
    const POLLIN = 1;
    return this.#fd < 0 || poll()(new Int16Array([this.#fd & 0xffff, this.#fd >> 16, POLLIN, 0]), 1, 0) !== 0;
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

let pollFunction: ReturnType<ReturnType<typeof koffi.load>["func"]> | undefined;

function poll(): NonNullable<typeof pollFunction> {
  pollFunction ??= koffi.load("libc.so.6").func("int poll(_Inout_ void *fds, unsigned long count, int timeout)");
  return pollFunction;
}
