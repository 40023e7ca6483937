/**
 * Traces of requests, sent as OTLP over HTTP in its JSON form, where an endpoint is configured. A span goes on with the caller's
 * `traceparent`. What cannot be sent is dropped: a trace never holds up a container.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { messageOf } from "../errors.ts";
import { statusOf } from "../http/status.ts";
import { version } from "../version.ts";
import type { Logger } from "./log.ts";

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  /** 2 = server. */
  readonly kind: 2;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
  /** 1 = ok, 2 = error. */
  readonly status: { readonly code: 1 | 2; readonly message?: string };
}

export interface Tracer {
  around(request: IncomingMessage, route: string, run: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const maxHeld = 2048;
const sendEveryMs = 2_000;
const sendWithinMs = 5_000;

export function createTracer(endpoint: string, log: Logger): Tracer {
  const url = `${endpoint.replace(/\/+$/, "")}/v1/traces`;
  let held: Span[] = [];
  const send = async (): Promise<void> => {
    const spans = held;
    held = [];
    if (spans.length === 0) return;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(envelope(spans)),
        signal: AbortSignal.timeout(sendWithinMs),
      });
      await response.body?.cancel();
      if (!response.ok) log.debug("traces were refused", { status: response.status });
    } catch (error) {
      log.debug("traces could not be sent", { error: messageOf(error) });
    }
  };
  const timer = setInterval(() => void send(), sendEveryMs).unref();
  return {
    around: async (request, route, run) => {
      const finish = begin(request, route);
      try {
        await run();
        keep(finish(undefined));
      } catch (error) {
        keep(finish(error));
        throw error;
      }
    },
    close: async () => {
      clearInterval(timer);
      await send();
    },
  };

  function keep(span: Span): void {
    if (held.length < maxHeld) held.push(span);
  }
}

function begin(request: IncomingMessage, route: string): (error: unknown) => Span {
  const start = Date.now();
  const parent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(String(request.headers["traceparent"] ?? ""));
  const method = request.method ?? "";
  return (error) => ({
    traceId: parent?.[1] ?? randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    ...(parent === null ? {} : { parentSpanId: parent[2] }),
    name: `${method} ${route}`,
    kind: 2,
    startTimeUnixNano: `${start}000000`,
    endTimeUnixNano: `${Date.now()}000000`,
    attributes: [attribute("http.request.method", method), attribute("http.route", route)],
    status: error === undefined ? { code: 1 } : { code: statusOf(error, "docker") >= 500 ? 2 : 1, message: messageOf(error).slice(0, 200) },
  });
}

function attribute(key: string, stringValue: string): Span["attributes"][number] {
  return { key, value: { stringValue } };
}

function envelope(spans: readonly Span[]): object {
  const resource = { attributes: [attribute("service.name", "berth"), attribute("service.version", version)] };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "berth" }, spans }] }] };
}
