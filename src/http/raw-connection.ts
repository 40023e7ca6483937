/** A connection that stopped being HTTP: bytes both ways, each direction closed by itself. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";

/** How long a client may take to close its side after the last of our output left. */
const lingerMs = 5_000;

export interface RawConnection {
  /** What the client sends; ends when it closes its side. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when more can be taken; also after the client went away. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Closes our side and, when the client has nothing to say any more, the connection. */
  end(): void;
  /** The client is gone, or said all it had to say and we are done. */
  readonly closed: AbortSignal;
}

/** What a client asks for with `Upgrade: tcp`: answered with 101, then the socket is ours. */
export function upgradedConnection(socket: Socket, first: Uint8Array, contentType: string, subprotocol = "tcp"): RawConnection {
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: ${subprotocol}\r\n\r\n`);
  return connection(bytesOf(socket, first), socket, socket);
}

/** Without an upgrade: a body that ends with the connection. The request's own body is all the input there is. */
export function plainConnection(request: IncomingMessage, response: ServerResponse, contentType: string): RawConnection {
  response.useChunkedEncodingByDefault = false;
  response.shouldKeepAlive = false;
  response.writeHead(200, { "content-type": contentType });
  response.flushHeaders();
  return connection(bytesOf(request, new Uint8Array()), response, response);
}

async function* bytesOf(source: Readable, first: Uint8Array): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) yield chunk;
  } catch {
    // The client hung up: nothing more will come.
  }
}

function connection(input: AsyncIterable<Uint8Array>, output: Writable, whole: Socket | ServerResponse): RawConnection {
  const closed = new AbortController();
  whole.once("close", () => closed.abort());
  whole.on("error", () => whole.destroy());
  if (whole.destroyed) closed.abort();
  return {
    input,
    write: (bytes) => (output.destroyed || output.writableEnded || output.write(bytes) ? undefined : drained(output)),
    end: () => {
      if (output.destroyed || output.writableEnded) return;
      // Closing while output is unsent, or at once while input is unread, would cost the client what it has not read yet.
      output.end(() => setTimeout(() => whole.destroy(), lingerMs).unref());
    },
    closed: closed.signal,
  };
}

/** When the stream takes more, or is closed. */
export function drained(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      output.off("drain", done);
      output.off("close", done);
      resolve();
    };
    output.on("drain", done);
    output.on("close", done);
  });
}
