import type { CliOutput } from "../host.ts";

/** Resolves when the bytes were handed over, so that a slow reader makes the producer wait. Rejects with EPIPE when it left. */
export function writeAll(output: CliOutput, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
