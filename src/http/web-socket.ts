/** WebSockets by the `ws` package, which is loaded with the first of them. */
import type { Call } from "./call.ts";
import { HttpError } from "./status.ts";

export interface ServerWebSocket {
  /** Sends one binary message; resolves when it has been handed to the system. */
  send(bytes: Uint8Array): Promise<void>;
  close(code: number, reason: string): void;
  /** Text frames arrive as text where `onText` is set, else like binary ones. */
  onMessage(listener: (bytes: Uint8Array) => void): void;
  onText(listener: (text: string) => void): void;
  onClose(listener: () => void): void;
}

const maxMessageBytes = 1024 * 1024;

/** Answers the upgrade. Throws 400 when the client did not ask for a WebSocket. */
export async function webSocketOf(call: Call): Promise<ServerWebSocket> {
  if (call.upgrade?.protocol !== "websocket") throw new HttpError(400, "this route speaks WebSocket: ask for it with an Upgrade header");
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false });
  const taken = call.takeSocket();
  if (taken === undefined) throw new HttpError(400, "the connection cannot be upgraded");
  const socket = await new Promise<import("ws").WebSocket>((resolve) => server.handleUpgrade(call.request, taken.socket, taken.head, resolve));
  let onText: ((text: string) => void) | undefined;
  let onBytes: (bytes: Uint8Array) => void = () => {};
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, isBinary) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (!isBinary && onText !== undefined) onText(Buffer.from(bytes).toString("utf8"));
    else onBytes(bytes);
  });
  return {
    send: (bytes) => new Promise((resolve) => socket.send(bytes, { binary: true }, () => resolve())),
    close: (code, reason) => socket.close(code, reason),
    onMessage: (listener) => {
      onBytes = listener;
    },
    onText: (listener) => {
      onText = listener;
    },
    onClose: (listener) => void socket.on("close", listener),
  };
}
