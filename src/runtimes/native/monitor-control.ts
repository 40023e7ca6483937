/** What conmon can be told while a container runs, through its FIFO `ctl`. */
import { closeSync, constants, openSync, writeSync } from "node:fs";

/** `false` when there is nobody to tell. */
export function resizeTerminal(fifo: string, rows: number, cols: number): boolean {
  return tell(fifo, `1 ${rows} ${cols}\n`);
}

/** conmon closes its log and begins a new one under the path it was given. */
export function reopenLog(fifo: string): boolean {
  return tell(fifo, "2 0 0\n");
}

/** A FIFO without a reader would block its writer for ever: when conmon is gone there is nobody to tell. */
function tell(fifo: string, message: string): boolean {
  try {
    const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, message);
    } finally {
      closeSync(fd);
    }
    return true;
  } catch {
    // The container ended, or has not begun.
    return false;
  }
}
