/** Attach to the main process through conmon: a SOCK_SEQPACKET socket for data, a FIFO for the window size. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { SeqpacketSocket } from "node-unix-socket";
import { BerthError } from "../../errors.ts";
import type { AttachHandle, AttachOptions } from "../../runtime/types.ts";
import type { ContainerPaths } from "./layout.ts";

type Output = { readonly channel: "stdout" | "stderr"; readonly bytes: Uint8Array };

/** conmon reads at most this much of a packet. */
const maxPacketBytes = 8 * 1024;
const stderrTag = 3;

/** An attach that is connected now, or at the next start for a container that does not run yet. */
export interface PendingAttach {
  readonly handle: AttachHandle;
  /** Connects to conmon's socket. Output from here on is not missed. */
  connect(): Promise<void>;
}

export async function openAttach(paths: ContainerPaths, name: string, o: AttachOptions): Promise<PendingAttach> {
  const { SeqpacketSocket } = await import("node-unix-socket");
  const queue = new OutputQueue();
  let socket: SeqpacketSocket | undefined;
  // Input for a container that has not begun waits for it, in order.
  const begun = Promise.withResolvers<void>();
  let hasBegun = false;
  let sent = begun.promise;
  let isOpen = true;
  let size: string | undefined;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    hasBegun = true;
    begun.resolve();
    socket?.destroy();
    queue.end();
  };
  o.signal?.addEventListener("abort", close, { once: true });
  const handle: AttachHandle = {
    output: queue.read(close),
    write: async (bytes) => {
      if (o.stdin !== true) return;
      const kept = hasBegun ? bytes : Uint8Array.from(bytes);
      const sending = sent.then(async () => {
        if (socket !== undefined) await write(socket, kept, () => isOpen, name);
      });
      sent = sending.catch(() => {});
      if (hasBegun) await sending;
    },
    endStdin: () => {
      void sent.then(() => {
        if (isOpen && o.stdin === true) socket?.end();
      });
    },
    resize: (rows, cols) => {
      if (rows <= 0 || cols <= 0) return;
      size = sizeMessage(rows, cols);
      if (socket !== undefined) tellMonitor(paths.controlFifo, size);
    },
    close,
    [Symbol.dispose]: close,
  };
  const connect = async (): Promise<void> => {
    if (!isOpen) return;
    socket = new SeqpacketSocket();
    socket.on("data", (packet: Buffer) => {
      if (packet.length > 1) queue.push({ channel: packet[0] === stderrTag ? "stderr" : "stdout", bytes: Uint8Array.from(packet.subarray(1)) });
    });
    await connected(socket, paths.attachSocket, name);
    if (size !== undefined) tellMonitor(paths.controlFifo, size);
    for (const event of ["end", "close", "error"] as const) socket.on(event, close);
    hasBegun = true;
    begun.resolve();
  };
  return { handle, connect };
}

/** Size of the main process's terminal; zero values change nothing. */
export function resizeTerminal(paths: ContainerPaths, rows: number, cols: number): void {
  if (rows > 0 && cols > 0) tellMonitor(paths.controlFifo, sizeMessage(rows, cols));
}

function sizeMessage(rows: number, cols: number): string {
  return `1 ${rows} ${cols}\n`;
}

/** A FIFO without a reader would block its writer for ever: when conmon is gone there is nobody to tell. */
function tellMonitor(fifo: string, message: string): void {
  try {
    const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, message);
    closeSync(fd);
  } catch {
    // The container ended, or has not begun.
  }
}

function connected(socket: SeqpacketSocket, path: string, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown): void => reject(new BerthError("conflict", `container ${name} cannot be attached to; is it running?`, { cause }));
    socket.once("error", fail);
    socket.connect(path, () => {
      socket.removeListener("error", fail);
      resolve();
    });
  });
}

async function write(socket: SeqpacketSocket, bytes: Uint8Array, isOpen: () => boolean, name: string): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += maxPacketBytes) {
    if (!isOpen()) throw new BerthError("conflict", `container ${name} no longer takes input`);
    const packet = Buffer.from(bytes.subarray(offset, offset + maxPacketBytes));
    await new Promise<void>((resolve) => socket.write(packet, 0, packet.length, () => resolve()));
  }
}

/** Holds what arrived until it is read. conmon drops a client that does not take its packets, so we always take them. */
class OutputQueue {
  readonly #items: Output[] = [];
  #ended = false;
  #wake = (): void => {};

  push(item: Output): void {
    this.#items.push(item);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *read(close: () => void): AsyncGenerator<Output> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) yield item;
        else if (this.#ended) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      close();
    }
  }
}
