import type { CliInput, CliOutput } from "../host.ts";

/** Hands every key to the program on the other side until disposed. No effect on what is no terminal. */
export function rawMode(input: CliInput): Disposable {
  if (!input.isTTY || input.setRawMode === undefined) return { [Symbol.dispose]: () => {} };
  const restore = (): void => void input.setRawMode?.(false);
  input.setRawMode(true);
  // Whatever ends the process, the shell must get its terminal back.
  process.once("exit", restore);
  return {
    [Symbol.dispose]: () => {
      process.off("exit", restore);
      restore();
    },
  };
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
