/**
 * Attach to the main process. Output is read from the log, where conmon writes every byte at once: any number of clients read at
 * their own pace, none holds up the program or makes memory grow. Input goes through conmon's socket, SOCK_SEQPACKET.
 */
import type { SeqpacketSocket } from "node-unix-socket";
import { BerthError } from "../../errors.ts";
import { onAbort } from "../../internal/abort.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { AttachHandle, AttachOptions } from "../../runtime/types.ts";
import type { ContainerPaths } from "./layout.ts";
import { LogChanges, type LogSourceState } from "./log-changes.ts";
import { LogCursor } from "./log-cursor.ts";
import { PieceAssembler } from "./log-record.ts";
import { resizeTerminal } from "./monitor-control.ts";

type Output = { readonly channel: "stdout" | "stderr"; readonly bytes: Uint8Array };

/** conmon reads at most this much of a packet. */
const maxPacketBytes = 8 * 1024;

/** An attach that is connected now, or at the next start for a container that does not run yet. */
export interface PendingAttach {
  readonly handle: AttachHandle;
  /** Connects the input. */
  connect(): Promise<void>;
}

/** `run`: whether the run that is attached to is going on, or still to come. */
export function openAttach(paths: ContainerPaths, name: string, o: AttachOptions, run: LogSourceState): PendingAttach {
  const closed = new AbortController();
  const output = openOutput(paths.log, run, o.logs === true, closed.signal);
  const input = o.stdin === true ? new Input(paths.attachSocket, name, run.isLive) : undefined;
  let size: readonly [number, number] | undefined;
  let isConnected = false;
  const close = (): void => {
    closed.abort();
    input?.close();
  };
  const aborting = onAbort(o.signal, close);
  closed.signal.addEventListener("abort", () => aborting[Symbol.dispose](), { once: true });
  const handle: AttachHandle = {
    output,
    write: async (bytes) => await input?.write(bytes),
    endStdin: () => input?.end(),
    resize: (rows, cols) => {
      if (rows <= 0 || cols <= 0) return;
      size = [rows, cols];
      if (isConnected) resizeTerminal(paths.controlFifo, rows, cols);
    },
    close,
    [Symbol.dispose]: close,
  };
  const connect = async (): Promise<void> => {
    if (closed.signal.aborted) return;
    await input?.connect();
    isConnected = true;
    if (size !== undefined) resizeTerminal(paths.controlFifo, ...size);
  };
  return { handle, connect };
}

/** Fixes the place at once: what is written after this call is in it. */
function openOutput(path: string, run: LogSourceState, withLog: boolean, closed: AbortSignal): AsyncIterableIterator<Output> {
  const cursor = new LogCursor(path, new PieceAssembler());
  if (!withLog) cursor.seekToEnd();
  const changes = new LogChanges(path, { source: run, stop: closed, onRotation: () => cursor.keepUp() });
  const release = (): void => {
    cursor[Symbol.dispose]();
    changes[Symbol.dispose]();
  };
  closed.addEventListener("abort", release, { once: true });
  return guardedStream((stop) => readOutput(cursor, changes, run, AbortSignal.any([stop, closed]), release), undefined);
}

async function* readOutput(cursor: LogCursor, changes: LogChanges, run: LogSourceState, stop: AbortSignal, release: () => void): AsyncGenerator<Output> {
  const onStop = onAbort(stop, () => changes.wake());
  try {
    for (;;) {
      // Asked before the read: what was written before the end is then read for certain.
      const isLive = run.isLive();
      for (let records = stop.aborted ? undefined : cursor.read(); records !== undefined; records = stop.aborted ? undefined : cursor.read()) {
        for (const { stream, bytes } of records) if (bytes.length > 0) yield { channel: stream, bytes };
      }
      if (!isLive || stop.aborted) return;
      await changes.next();
    }
  } finally {
    onStop[Symbol.dispose]();
    release();
  }
}

/** The way to the program's stdin. What is written before the start waits for it; everything goes in order. */
class Input {
  readonly #path: string;
  readonly #name: string;
  readonly #isLive: () => boolean;
  readonly #begun = Promise.withResolvers<void>();
  #sent: Promise<void> = this.#begun.promise;
  #socket: SeqpacketSocket | undefined;
  #isOpen = true;
  /** Ends the wait for a packet that is on its way: the socket never calls back for one that can no longer be written. */
  #giveUp = (): void => {};

  constructor(path: string, name: string, isLive: () => boolean) {
    this.#path = path;
    this.#name = name;
    this.#isLive = isLive;
  }

  async connect(): Promise<void> {
    const { SeqpacketSocket } = await import("node-unix-socket");
    const socket = new SeqpacketSocket();
    // Output comes here too. It is taken, because conmon drops a client that does not take its packets.
    socket.on("data", () => {});
    await connected(socket, this.#path, this.#name);
    this.#socket = socket;
    for (const event of ["end", "close", "error"] as const) socket.on(event, () => this.close());
    if (!this.#isOpen) socket.destroy();
    this.#begun.resolve();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#isOpen || (this.#socket === undefined && !this.#isLive())) throw this.#ended();
    const hasBegun = this.#socket !== undefined;
    const kept = hasBegun ? bytes : Uint8Array.from(bytes);
    const sending = this.#sent.then(() => this.#send(kept));
    this.#sent = sending.catch(() => {});
    if (hasBegun) await sending;
  }

  end(): void {
    void this.#sent.then(() => {
      if (this.#isOpen) this.#socket?.end();
    });
  }

  close(): void {
    this.#isOpen = false;
    this.#giveUp();
    this.#begun.resolve();
    this.#socket?.destroy();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += maxPacketBytes) {
      const socket = this.#socket;
      if (!this.#isOpen || socket === undefined) throw this.#ended();
      const packet = Buffer.from(bytes.subarray(offset, offset + maxPacketBytes));
      await new Promise<void>((resolve, reject) => {
        this.#giveUp = () => reject(this.#ended());
        socket.write(packet, 0, packet.length, () => resolve());
      });
    }
  }

  #ended(): BerthError {
    return new BerthError("conflict", `container ${this.#name} no longer takes input`);
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
