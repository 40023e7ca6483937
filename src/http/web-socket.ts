/** WebSockets by the `ws` package, which is loaded with the first of them. */
import { on } from "node:events";
import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { Call } from "./call.ts";
import type { RawConnection } from "./raw-connection.ts";
import { HttpError } from "./status.ts";

/** Binary messages both ways. Its input ends when the client closes; there is no closing of one direction alone. */
export interface WebSocketConnection extends RawConnection {
  /** Closes with a code of RFC 6455 and a reason, cut to the 123 bytes it may have, after what was written. */
  close(code: number, reason: string): void;
}

const maxMessageBytes = 1024 * 1024;
const maxReasonBytes = 123;
/** How long a client may take to answer our close. */
const closeWithinMs = 5_000;

/** Answers the upgrade. Text goes to `onText`, else it is input like binary messages. Throws 400 when the client did not ask for a WebSocket. */
export async function openWebSocket(call: Call, onText?: (text: string) => void): Promise<WebSocketConnection> {
  if (call.upgrade?.protocol !== "websocket") throw new HttpError(400, "this route speaks WebSocket: ask for it with an Upgrade header");
  const socket = await accept(call);
  const closed = new AbortController();
  // Nothing that comes early is lost, and who sends faster than we take it waits.
  const messages = on(socket, "message", { close: ["close"], highWaterMark: 1, lowWaterMark: 1 }) as AsyncIterable<readonly [RawData, boolean]>;
  socket.on("error", () => socket.terminate());
  socket.once("close", () => closed.abort());
  const close = (code: number, reason: string): void => {
    socket.close(code, shortened(reason));
    setTimeout(() => socket.terminate(), closeWithinMs).unref();
  };
  return {
    input: inputOf(messages, onText),
    // Also resolves when the client is gone.
    write: (bytes) => new Promise((resolve) => socket.send(bytes, { binary: true }, () => resolve())),
    end: () => close(1000, ""),
    close,
    closed: closed.signal,
  };
}

async function accept(call: Call): Promise<WebSocket> {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false });
  const taken = call.takeSocket();
  if (taken === undefined) throw new HttpError(400, "the connection cannot be upgraded");
  return new Promise((resolve, reject) => {
    server.once("wsClientError", (error: Error, socket: Duplex) => {
      const body = JSON.stringify({ message: `not a WebSocket: ${error.message}` });
      socket.end(`HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
      reject(new HttpError(400, error.message, { cause: error }));
    });
    server.handleUpgrade(call.request, taken.socket, taken.head, resolve);
  });
}

async function* inputOf(messages: AsyncIterable<readonly [RawData, boolean]>, onText: ((text: string) => void) | undefined): AsyncGenerator<Uint8Array> {
  try {
    for await (const [data, isBinary] of messages) {
      const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);
      if (isBinary || onText === undefined) yield bytes;
      else onText(bytes.toString("utf8"));
    }
  } catch {
    // The client broke the protocol or hung up: nothing more will come.
  }
}

function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  // A character that is cut in two becomes a replacement, which may be longer than what is left of it.
  return bytes.length <= maxReasonBytes ? reason : bytes.subarray(0, maxReasonBytes - 3).toString("utf8");
}
