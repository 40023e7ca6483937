/** A small client of the Docker Engine API on a unix socket: connections stay open, JSON bodies, no third party code. */
import { Agent, type IncomingMessage, request } from "node:http";
import type { Readable } from "node:stream";

export interface EngineClient {
  /** Sends a request and answers the parsed body; an error status throws with the engine's message. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Sends a body as it comes and answers the body as it comes; an error status throws. */
  stream(method: string, path: string, body?: Readable): Promise<IncomingMessage>;
  close(): void;
}

export function engineClient(socketPath: string): EngineClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  return {
    call: (method, path, body) => call({ socketPath, agent, method, path }, body),
    stream: (method, path, body) => stream({ socketPath, agent, method, path }, body),
    close: () => agent.destroy(),
  };
}

interface Target {
  readonly socketPath: string;
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
}

async function call(target: Target, body: unknown): Promise<unknown> {
  const response = await send(target, body === undefined ? undefined : JSON.stringify(body));
  const text = await readText(response);
  const status = response.statusCode ?? 0;
  if (status >= 400) throw new Error(`${target.method} ${target.path}: ${status} ${text.trim()}`);
  return text.startsWith("{") || text.startsWith("[") ? parseBody(text) : text;
}

async function stream(target: Target, body: Readable | undefined): Promise<IncomingMessage> {
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/x-tar" };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const out = request({ ...target, headers }, resolve).once("error", reject);
    if (body === undefined) out.end();
    else body.pipe(out);
  });
  if ((response.statusCode ?? 0) >= 400) throw new Error(`${target.method} ${target.path}: ${response.statusCode} ${(await readText(response)).trim()}`);
  return response;
}

function send(target: Target, payload: string | undefined): Promise<IncomingMessage> {
  const headers = payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
  return new Promise((resolve, reject) => {
    request({ ...target, headers }, resolve)
      .once("error", reject)
      .end(payload);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const part of response) text += part;
  return text;
}

/** A pull answers one JSON object per line; the last one tells how it ended. */
function parseBody(text: string): unknown {
  const lines = text.trim().split("\n");
  const values = lines.map((line): unknown => JSON.parse(line));
  return values.length === 1 ? values[0] : values;
}
