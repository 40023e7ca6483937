import { closeSync, constants, openSync } from "node:fs";
import { call, chroot, CLONE, fchdir, unshare } from "../internal/libc.ts";

/**
 * Lets one worker thread take a directory as its root for a while. Only this thread's own synchronous calls are
 * confined: root, working directory and umask become its own, while the threads of Node's pool keep those of the process.
 */
export class Confinement {
  readonly #outside: number;

  /** Must be made on a worker thread, never on the main one. Needs CAP_SYS_CHROOT. */
  constructor() {
    unshare(CLONE.FS);
    call("int umask(unsigned int mask)", "", 0);
    this.#outside = openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** Runs `task` with `directory` as `/`, and comes back out whatever happens. */
  async within<T>(directory: string, task: () => Promise<T>): Promise<T> {
    enter(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW), "close");
    try {
      return await task();
    } finally {
      enter(this.#outside);
    }
  }
}

function enter(directory: number, then?: "close"): void {
  fchdir(directory);
  chroot(".");
  if (then === "close") closeSync(directory);
}
