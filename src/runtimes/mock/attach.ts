/** Clients attached to a main process (Appendix B). */
import type { AttachHandle } from "../../runtime/types.ts";
import { Change } from "./change.ts";
import type { Channel, RunningProcess } from "./process.ts";

interface Chunk {
  readonly channel: Channel;
  readonly bytes: Uint8Array;
}

class Client {
  readonly chunks: Chunk[] = [];
  readonly change: Change = new Change();
  closed = false;

  close(): void {
    this.closed = true;
    this.change.happened();
  }
}

/** Hands what the main process writes to everybody who is attached, and their input to it. */
export class AttachHub {
  readonly #clients = new Set<Client>();
  #process: RunningProcess | undefined;
  #size: { readonly rows: number; readonly cols: number } | undefined;
  /** Input that came before the start. */
  #early: Uint8Array[] = [];
  #earlyEnd = false;

  begin(process: RunningProcess): void {
    this.#process = process;
    if (this.#size !== undefined) process.resize(this.#size.rows, this.#size.cols);
    for (const bytes of this.#early.splice(0)) void process.stdin.push(bytes).catch(() => {});
    if (this.#earlyEnd) process.stdin.end();
    this.#earlyEnd = false;
  }

  deliver(channel: Channel, bytes: Uint8Array): void {
    for (const client of this.#clients) {
      client.chunks.push({ channel, bytes });
      client.change.happened();
    }
  }

  /** The run ended: everybody reads to the end and is gone. */
  end(): void {
    this.#process = undefined;
    for (const client of this.#clients) client.close();
    this.#clients.clear();
  }

  /** `before`: what the client shall see first. */
  attach(stdin: boolean, signal: AbortSignal | undefined, before: readonly Chunk[] = []): AttachHandle {
    const client = new Client();
    client.chunks.push(...before);
    this.#clients.add(client);
    const close = (): void => {
      this.#clients.delete(client);
      client.chunks.length = 0;
      client.close();
    };
    signal?.addEventListener("abort", close, { once: true });
    return {
      output: read(client, close),
      write: async (bytes) => {
        if (stdin) await this.#write(client, bytes);
      },
      endStdin: () => {
        if (!stdin) return;
        if (this.#process === undefined) this.#earlyEnd = !client.closed;
        else this.#process.stdin.end();
      },
      resize: (rows, cols) => {
        if (rows > 0 && cols > 0) this.#size = { rows, cols };
        this.#process?.resize(rows, cols);
      },
      close,
      [Symbol.dispose]: close,
    };
  }

  async #write(client: Client, bytes: Uint8Array): Promise<void> {
    if (client.closed) throw new Error("the attach session is closed");
    if (this.#process === undefined) this.#early.push(bytes);
    else await this.#process.stdin.push(bytes);
  }
}

async function* read(client: Client, close: () => void): AsyncGenerator<Chunk> {
  const never = new AbortController().signal;
  try {
    while (true) {
      const chunk = client.chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (client.closed) return;
      else await client.change.wait(never);
    }
  } finally {
    close();
  }
}
