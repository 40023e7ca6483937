import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";

/** A server on a free port of 127.0.0.1 that remembers what it was asked. */
export interface HttpServer {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  /** Connections open now. */
  readonly openSockets: ReadonlySet<Socket>;
  /** Resolves once no connection is open. */
  allClosed(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** Answers every request by `handler`; over TLS when given a key and certificate. */
export async function serveHttp(
  handler: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  tls?: { readonly key: string; readonly cert: string },
): Promise<HttpServer> {
  const requests: SeenRequest[] = [];
  const openSockets = new Set<Socket>();
  let onClosed: (() => void)[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    handler(request, response, requests.length);
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on("connection", (socket: Socket) => {
    openSockets.add(socket);
    socket
      .on("error", () => {})
      .once("close", () => {
        openSockets.delete(socket);
        if (openSockets.size > 0) return;
        for (const resolve of onClosed) resolve();
        onClosed = [];
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the test server has no port");
  const close = async (): Promise<void> => {
    for (const socket of openSockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return {
    host: `127.0.0.1:${address.port}`,
    requests,
    openSockets,
    allClosed: () => (openSockets.size === 0 ? Promise.resolve() : new Promise((resolve) => onClosed.push(resolve))),
    close,
    [Symbol.asyncDispose]: close,
  };
}
