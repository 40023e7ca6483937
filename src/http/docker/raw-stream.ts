/** Output of a process on a hijacked connection, and input to it. */
import { frameHeader } from "../../docker-api/multiplexed-stream.ts";
import type { RawConnection } from "../raw-connection.ts";
import type { DetachFilter } from "../../spec/detach-keys.ts";

export const rawStreamType = "application/vnd.docker.raw-stream";
export const multiplexedType = "application/vnd.docker.multiplexed-stream";

/** With a terminal there is one channel and so nothing to mark; older clients know only the one name. */
export function streamType(o: { readonly tty: boolean; readonly apiVersion: number }): string {
  return o.tty || o.apiVersion < 42 ? rawStreamType : multiplexedType;
}

export interface OutputChunk {
  readonly channel: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** Sends output to its end, each piece marked with its channel unless `isRaw`. Stops when the client is gone. */
export async function sendOutput(
  connection: RawConnection,
  output: AsyncIterable<OutputChunk>,
  o: { isRaw: boolean; stdout: boolean; stderr: boolean },
): Promise<void> {
  for await (const { channel, bytes } of output) {
    if (connection.closed.aborted) return;
    if (channel === "stdout" ? !o.stdout : !o.stderr) continue;
    const wait = connection.write(o.isRaw ? bytes : framed(channel, bytes));
    if (wait !== undefined) await wait;
  }
}

export function framed(channel: "stdout" | "stderr", bytes: Uint8Array): Uint8Array {
  const whole = Buffer.allocUnsafe(8 + bytes.length);
  whole.set(frameHeader(channel, bytes.length));
  whole.set(bytes, 8);
  return whole;
}

export interface InputSink {
  write(bytes: Uint8Array): Promise<void>;
  /** The client has no more to say. */
  end(): void;
  /** The client typed the keys that detach. */
  detach(): void;
}

/** Reads what the client sends to its end, also when nobody takes it any more: unread bytes would cut the answer short. */
export async function receiveInput(connection: RawConnection, sink: InputSink, keys: DetachFilter | undefined): Promise<void> {
  let isOpen = true;
  for await (const bytes of connection.input) {
    if (!isOpen) continue;
    const { pass, detached } = keys === undefined ? { pass: bytes, detached: false } : keys.push(bytes);
    try {
      if (pass.length > 0) await sink.write(pass);
    } catch {
      // The process ended; what it wrote is still on its way to the client.
      isOpen = false;
    }
    if (detached) {
      sink.detach();
      isOpen = false;
    }
  }
  if (isOpen) sink.end();
}
