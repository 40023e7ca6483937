/**
 * Traces of requests, sent as OTLP over HTTP in its JSON form, where an endpoint is configured. A span goes on with the caller's
 * `traceparent`. What cannot be sent is dropped: a trace never holds up a container.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../errors.ts";
import type { HttpOptions } from "../http/server.ts";
import { statusOf } from "../http/status.ts";
import { version } from "../version.ts";
import type { Logger } from "./log.ts";

interface Attribute {
  readonly key: string;
  /** Numbers are texts in OTLP's JSON form. */
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  /** 2 = server. */
  readonly kind: 2;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  /** 2 = error, with what went wrong; else unset: what a client did wrong is no error of ours. */
  readonly status: { readonly code?: 2; readonly message?: string };
}

export interface Tracer {
  around: NonNullable<HttpOptions["around"]>;
  close(): Promise<void>;
}

const maxHeld = 2048;
const sendEveryMs = 2_000;
const sendWithinMs = 5_000;
/** What is left when the daemon stops; nobody waits longer for it. */
const lastSendWithinMs = 1_000;

export function createTracer(endpoint: string, log: Logger): Tracer {
  const url = `${endpoint.replace(/\/+$/, "")}/v1/traces`;
  let held: Span[] = [];
  let isSending = false;
  const send = async (withinMs: number): Promise<void> => {
    const spans = held;
    held = [];
    if (spans.length === 0) return;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(envelope(spans)),
        signal: AbortSignal.timeout(withinMs),
      });
      await response.body?.cancel();
      if (!response.ok) log.debug("traces were refused", { status: response.status });
    } catch (error) {
      log.debug("traces could not be sent", { error: messageOf(error) });
    }
  };
  const sendInTurn = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    await send(sendWithinMs);
    isSending = false;
  };
  const timer = setInterval(() => void sendInTurn(), sendEveryMs).unref();
  return {
    around: async (request, response, route, run) => {
      const finish = begin(request, response, route);
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
      await send(lastSendWithinMs);
    },
  };

  function keep(span: Span): void {
    if (held.length < maxHeld) held.push(span);
  }
}

function begin(request: IncomingMessage, response: ServerResponse, route: string): (error: unknown) => Span {
  const start = Date.now();
  const parent = parentOf(request);
  const method = request.method ?? "";
  const dialect = request.url?.startsWith("/api/") === true ? "native" : "docker";
  // A connection that was taken over was answered by hand.
  const answered = (): number => (response.headersSent ? response.statusCode : 101);
  return (error) => ({
    traceId: parent?.traceId ?? randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
    name: `${method} ${route}`,
    kind: 2,
    startTimeUnixNano: `${start}000000`,
    endTimeUnixNano: `${Date.now()}000000`,
    attributes: [
      attribute("http.request.method", method),
      attribute("http.route", route),
      { key: "http.response.status_code", value: { intValue: String(error === undefined ? answered() : statusOf(error, dialect)) } },
    ],
    status: error === undefined || statusOf(error, dialect) < 500 ? {} : { code: 2, message: messageOf(error).slice(0, 200) },
  });
}

/** Of the W3C's header `traceparent`; ids of zeros alone are none. */
function parentOf(request: IncomingMessage): { readonly traceId: string; readonly spanId: string } | undefined {
  const [, traceId = "", spanId = ""] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(String(request.headers["traceparent"] ?? "")) ?? [];
  return /[^0]/.test(traceId) && /[^0]/.test(spanId) ? { traceId, spanId } : undefined;
}

function attribute(key: string, stringValue: string): Attribute {
  return { key, value: { stringValue } };
}

function envelope(spans: readonly Span[]): object {
  const resource = { attributes: [attribute("service.name", "berth"), attribute("service.version", version)] };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "berth" }, spans }] }] };
}
