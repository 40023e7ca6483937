import type { CliInput, CliOutput } from "../host.ts";

/** Hands every key to the program on the other side, and its bytes to the screen, until disposed. No effect on what is no terminal. */
export async function rawMode(input: CliInput): Promise<Disposable> {
  if (!input.isTTY || input.setRawMode === undefined) return { [Symbol.dispose]: () => {} };
  let isRaw = true;
  const restore = (): void => {
    if (isRaw) input.setRawMode?.(false);
    isRaw = false;
  };
  input.setRawMode(true);
  // Whatever ends the process, the shell must get its terminal back.
  process.once("exit", restore);
  if (input.fd !== undefined) await leaveOutputAlone(input.fd);
  return {
    [Symbol.dispose]: () => {
      process.off("exit", restore);
      restore();
    },
  };
}

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const OPOST = 1;

/**
 * Node's raw mode still turns a newline into carriage return and newline. The terminal inside did that already if it was
 * wanted; a full-screen program that did not want it would be drawn askew.
 */
async function leaveOutputAlone(fd: number): Promise<void> {
  const { ioctl } = await import("../../internal/libc.ts");
  // struct termios of the kernel: four 32-bit flag words, of which the second is c_oflag, the line discipline, 19 characters.
  const termios = new Uint32Array(16);
  ioctl(fd, TCGETS, termios);
  termios[1] = (termios[1] ?? 0) & ~OPOST;
  ioctl(fd, TCSETS, termios);
}

/** Tells the size of the terminal now and whenever it changes. */
export function followSize(output: CliOutput, resize: (rows: number, cols: number) => void): Disposable {
  const tell = (): void => {
    if (output.rows !== undefined && output.columns !== undefined) resize(output.rows, output.columns);
  };
  if (output.isTTY) tell();
  output.on("resize", tell);
  return { [Symbol.dispose]: () => void output.off("resize", tell) };
}
