import { createInterface } from "node:readline/promises";
import type { CliHost } from "../host.ts";

/** Prints the warning and asks; anything but yes is no, as is the end of stdin. */
export async function confirm(host: CliHost, warning: string): Promise<boolean> {
  host.stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: host.stdin, terminal: false });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}
