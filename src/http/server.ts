/** The HTTP side of the daemon: one server per listener, requests to routes, errors to answers, upgrades to raw connections. */
import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from "node:https";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf } from "../errors.ts";
import { Call, declaredLength, type Upgrade } from "./call.ts";
import { defaultApiVersion, parseApiPath } from "./api-version.ts";
import { checkHost } from "./host-check.ts";
import { type Identity, isAtLeast } from "./identity.ts";
import { maxJsonBytes } from "./json-body.ts";
import type { Method } from "./route.ts";
import type { Match, Router } from "./router.ts";
import { type Dialect, errorBody, HttpError, statusOf } from "./status.ts";

export interface ListenerOptions {
  readonly isUnix: boolean;
  /** Whether clients may reach us by this name; addresses are always ours. */
  readonly isOurName: (host: string) => boolean;
  readonly tls?: TlsOptions | undefined;
  /** Throws `HttpError` 401 for somebody unknown. */
  readonly identify: (request: IncomingMessage) => Identity;
}

export interface HttpEvents {
  /** Once per answered request; `route` is the pattern, so that ids do not become labels of a metric. */
  answered(o: { method: string; route: string; path: string; status: number; ms: number; error: unknown }): void;
}

export interface HttpOptions {
  readonly docker: Router;
  /** Loaded with the first request for it. */
  readonly native: () => Promise<Router>;
  readonly identityHeaders: Readonly<Record<string, string>>;
  readonly pingHeaders: Readonly<Record<string, string>>;
  readonly events: HttpEvents;
  /** Wraps the handling of a request, for traces. */
  readonly around?: ((request: IncomingMessage, response: ServerResponse, route: string, run: () => Promise<void>) => Promise<void>) | undefined;
}

export interface HttpServer {
  readonly server: Server;
  /** Takes no new requests, lets answers finish until `graceMs` are over, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

export function createHttpServer(o: HttpOptions, listener: ListenerOptions): HttpServer {
  const ahead = new WeakMap<Socket, number>();
  const onRequest: RequestListener = (request, response) => {
    if (countAhead(ahead, request.socket, response) > maxAhead) request.socket.destroy();
    else receive(o, listener, request, response, undefined);
  };
  const options = {
    allowHalfOpen: true,
    noDelay: true,
    keepAliveTimeout: 120_000,
    headersTimeout: 15_000,
    // Who is too slow is found within so many milliseconds.
    connectionsCheckingInterval: 5_000,
    // A tar may take as long as it takes; JSON bodies have a time limit of their own.
    requestTimeout: 0,
    maxHeaderSize: 128 * 1024,
    // Anything else with an Upgrade header, such as h2c of BuildKit, is an ordinary request.
    shouldUpgradeCallback: (request: IncomingMessage) => upgradeOf(o, request) !== undefined,
  };
  const server = listener.tls === undefined ? createServer(options, onRequest) : createTlsServer({ ...options, ...listener.tls }, onRequest);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (socket instanceof Socket) onUpgrade(o, listener, request, socket, head);
    else socket.destroy();
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => refuseGarbage(error, socket));
  return { server, close: (graceMs) => closeServer(server, sockets, graceMs) };
}

/**
 * Requests sent on one connection before the answers to earlier ones were read; Docker's clients send none ahead. Node reads as many as
 * arrive at once, and would keep the answers to all of them.
 */
const maxAhead = 32;

function countAhead(ahead: WeakMap<Socket, number>, socket: Socket, response: ServerResponse): number {
  const count = (ahead.get(socket) ?? 0) + 1;
  ahead.set(socket, count);
  response.once("close", () => ahead.set(socket, (ahead.get(socket) ?? 1) - 1));
  return count;
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await closed;
  clearTimeout(timer);
  for (const socket of sockets) socket.destroy();
}

/** What the parser refuses never becomes a request. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const body = `{"message":${JSON.stringify(`malformed request: ${error.code ?? messageOf(error)}`)}}`;
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

function onUpgrade(o: HttpOptions, listener: ListenerOptions, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => socket.end());
  socket.on("error", () => socket.destroy());
  const protocol = upgradeOf(o, request);
  const upgrade: Upgrade | undefined = protocol && { protocol, socket, head, body: () => upgradeBody(request, socket, head) };
  receive(o, listener, request, response, upgrade);
}

function upgradeOf(o: HttpOptions, request: IncomingMessage): Upgrade["protocol"] | undefined {
  const wanted = request.headers.upgrade?.toLowerCase();
  if (wanted !== "tcp" && wanted !== "websocket") return undefined;
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  // A body of unknown length could not be told from what follows it. Attach has none, whatever the header says (docker-modem).
  if (request.headers["transfer-encoding"] !== undefined && !path.endsWith("/attach")) return undefined;
  // The native routes that upgrade are not loaded yet, perhaps.
  if (path.startsWith("/api/")) return wanted === "websocket" ? wanted : undefined;
  try {
    const { rest } = parseApiPath(path);
    return o.docker.find(request.method ?? "GET", rest)?.route.upgrades?.includes(wanted) ? wanted : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The body of a request that was upgraded: up to Node 25 the parser stops at the header and the body lies in `head` or is
 * still to come on the socket; from Node 26 on it comes with the request.
 */
async function upgradeBody(request: IncomingMessage, socket: Socket, head: Buffer): Promise<{ body: Buffer; rest: Buffer }> {
  const length = declaredLength(request) ?? 0;
  if (length > maxJsonBytes) throw new HttpError(413, `the request body is larger than ${maxJsonBytes} bytes`);
  if (Number(process.versions.node.split(".")[0]) >= 26) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    return { body: Buffer.concat(chunks), rest: head };
  }
  let all = head;
  const timer = setTimeout(() => socket.destroy(), 30_000);
  try {
    while (all.length < length && !socket.destroyed && !socket.readableEnded) {
      const more: Buffer | null = socket.read();
      if (more === null) await readable(socket);
      else all = Buffer.concat([all, more]);
    }
  } finally {
    clearTimeout(timer);
  }
  if (all.length < length) throw new HttpError(400, "the request body ended early");
  return { body: all.subarray(0, length), rest: all.subarray(length) };
}

function readable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ["readable", "end", "close"]) socket.off(event, done);
      resolve();
    };
    for (const event of ["readable", "end", "close"]) socket.on(event, done);
  });
}

function receive(o: HttpOptions, listener: ListenerOptions, request: IncomingMessage, response: ServerResponse, upgrade: Upgrade | undefined): void {
  const url = request.url ?? "/";
  if ((url === "/_ping" || url.endsWith("/_ping")) && answerPing(o, listener, request, response, url)) return;
  const begun = performance.now();
  let route = "unknown";
  const finish = (error: unknown): void =>
    o.events.answered({ method: request.method ?? "", route, path: url, status: response.statusCode, ms: performance.now() - begun, error });
  const dialect: Dialect = url.startsWith("/api/") ? "native" : "docker";
  const run = async (): Promise<void> => {
    let call: Call | undefined;
    try {
      if (dialect === "docker") setHeaders(response, o.identityHeaders);
      const identity = admit(listener, request);
      const { match, apiVersion, query } = await locate(o, request, url);
      route = match.route.path;
      if (dialect === "docker") checkRole(identity, request.method ?? "GET", match);
      call = new Call({ request, response, params: match.params, query, apiVersion, identity, upgrade });
      const handling = call;
      const handle = async () => match.route.handle(handling);
      await (o.around === undefined ? handle() : o.around(request, response, route, handle));
      finish(undefined);
    } catch (error) {
      fail(request, response, dialect, error);
      finish(error);
    }
  };
  run().catch((defect: unknown) => {
    response.destroy();
    finish(defect);
  });
}

function admit(listener: ListenerOptions, request: IncomingMessage): Identity {
  checkHost(request.headers, listener);
  return listener.identify(request);
}

/** On Docker's routes, which know no roles: reading is for readers, everything else for operators. The native API has its own table. */
function checkRole(identity: Identity, method: string, { route }: Match): void {
  const isReading = (method === "GET" || method === "HEAD") && route.upgrades === undefined;
  if (!isAtLeast(identity, isReading ? "reader" : "operator")) throw new HttpError(403, `${identity.name} has the role ${identity.role} and may not do this`);
}

async function locate(o: HttpOptions, request: IncomingMessage, url: string): Promise<{ match: Match; apiVersion: number; query: URLSearchParams }> {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
  const method = (request.method ?? "GET") as Method;
  if (path.startsWith("/api/") || path === "/metrics") {
    const match = (await o.native()).find(method, path);
    if (match === undefined) throw new HttpError(404, `there is no route ${method} ${path}`);
    return { match, apiVersion: defaultApiVersion, query };
  }
  const { rest, minor } = parseApiPath(path);
  const match = o.docker.find(method, rest);
  if (match === undefined) throw new HttpError(404, "page not found");
  return { match, apiVersion: minor, query };
}

function fail(request: IncomingMessage, response: ServerResponse, dialect: Dialect, error: unknown): void {
  if (response.headersSent || response.destroyed || (error instanceof HttpError && error.status === 499)) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(errorBody(error, dialect));
  if (!request.complete) {
    response.shouldKeepAlive = false;
    // A body that was left in the middle took the request's own socket from it.
    if (response.socket !== null) lingerOn(response.socket);
  }
  response.writeHead(statusOf(error, dialect), { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** Longest time in which what a client still sends is thrown away after its answer. */
const lingerMs = 1_000;

/**
 * Node closes after the last answer at once; a client that is still sending then meets a broken connection and may never see the answer. So
 * only our side is closed, until the client has read and closed its own.
 */
function lingerOn(socket: Socket): void {
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once("close", () => clearTimeout(timer));
  };
}

/** Health checks come by the thousand: they are answered before anything else is looked at but who asks. */
function answerPing(o: HttpOptions, listener: ListenerOptions, request: IncomingMessage, response: ServerResponse, url: string): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  if (url !== "/_ping" && !/^\/v1\.(2[4-9]|3\d|4[0-7])\/_ping$/.test(url)) return false;
  try {
    admit(listener, request);
  } catch {
    return false;
  }
  response.writeHead(200, o.pingHeaders);
  response.end(request.method === "HEAD" ? undefined : "OK");
  return true;
}

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) response.setHeader(name, headers[name] ?? "");
}
