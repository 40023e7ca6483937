/** A small engine that answers what a test tells it to, for trouble that a real one makes too seldom. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

export interface FakeEngine {
  /** As in `DOCKER_HOST`. */
  readonly endpoint: string;
  readonly socket: string;
  /** Connections open now. */
  connections(): number;
  /** Ends every connection, as an engine does that is killed; it goes on listening. */
  dropAll(): void;
  close(): Promise<void>;
}

export interface FakeAnswers {
  /** Whatever is neither ping nor info. */
  readonly request?: (request: IncomingMessage, response: ServerResponse) => void;
  /** An upgrade; default: refused. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void;
  /** Header of the ping. Default 1.41; `null` leaves it out. */
  readonly apiVersion?: string | null;
}

export const fakeInfo = {
  ID: "fake",
  Name: "fake",
  ServerVersion: "1.2.3",
  MemTotal: 2 ** 33,
  NCPU: 2,
  CgroupVersion: "2",
  CgroupDriver: "systemd",
  Driver: "overlay2",
  KernelVersion: `not ${release()}`,
  OperatingSystem: "none",
  Architecture: "x86_64",
  DockerRootDir: "/var/lib/docker",
};

export async function startFakeEngine(answers: FakeAnswers): Promise<FakeEngine> {
  const dir = mkdtempSync(join(tmpdir(), "berth-engine-"));
  const socket = join(dir, "engine.sock");
  const open = new Set<Socket>();
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path.endsWith("/_ping")) answerPing(response, answers.apiVersion);
    else if (/\/info$/.test(path)) sendJson(response, fakeInfo);
    else if (answers.request !== undefined) answers.request(request, response);
    else sendJson(response, { message: "page not found" }, 404);
  });
  server.on("upgrade", (request, connection) => {
    // Who does not read never hears that the other side has gone, and a server's half stays open.
    connection
      .on("error", () => {})
      .once("end", () => setImmediate(() => connection.end()))
      .resume();
    if (answers.upgrade !== undefined) answers.upgrade(request, connection);
    else connection.end("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  });
  server.on("connection", (connection: Socket) => {
    open.add(connection);
    connection.on("error", () => {});
    connection.once("close", () => open.delete(connection));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const dropAll = (): void => {
    for (const connection of open) connection.destroy();
  };
  return {
    endpoint: `unix://${socket}`,
    socket,
    connections: () => open.size,
    dropAll,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      dropAll();
      await closed;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function answerPing(response: ServerResponse, apiVersion: string | null = "1.41"): void {
  if (apiVersion !== null) response.setHeader("api-version", apiVersion);
  response.end("OK");
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

export const switchingProtocols = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

export const fakeContainer = {
  engineId: "ab".repeat(32),
  /** What an engine lists for a container of ours. */
  summary: (id: string) => ({
    Id: fakeContainer.engineId,
    Names: ["/fake"],
    Image: "demo",
    ImageID: "sha256:0",
    Created: 1_700_000_000,
    State: "running",
    Status: "Up",
    Labels: { "dev.berth.id": id },
  }),
} as const;

/** Whether the request looks a container up by our label; answers with the one that is asked for. */
export function answerLookup(request: IncomingMessage, response: ServerResponse): boolean {
  const url = new URL(request.url ?? "", "http://engine");
  const filters = url.searchParams.get("filters") ?? "";
  const id = /dev\.berth\.id=([^"]+)"/.exec(filters)?.[1];
  if (!url.pathname.endsWith("/containers/json") || id === undefined) return false;
  sendJson(response, [fakeContainer.summary(id)]);
  return true;
}
