/** What an engine, or the way to it, answered instead of success (contract 3.3 "docker"). */
import { BerthError, type ErrorCode, messageOf } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";

/** The engine refused. Carries the HTTP status and the engine's own text. */
export class EngineError extends BerthError {
  readonly status: number;
  /** As the engine wrote it. */
  readonly engineMessage: string;

  constructor(call: string, status: number, engineMessage: string) {
    super(codeOf(status), engineMessage === "" ? `${call}: the engine answered ${status}` : engineMessage, { reason: engineMessage, status });
    this.name = "EngineError";
    this.status = status;
    this.engineMessage = engineMessage;
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 400) return "invalid_spec";
  if (status === 404) return "not_found";
  if (status === 409) return "conflict";
  return status === 501 ? "unsupported" : "internal";
}

/** An error answer's body: Docker's `{"message"}`, or text. */
export function engineErrorFrom(call: string, status: number, body: string): EngineError {
  return new EngineError(call, status, messageIn(body).trim().slice(0, 4000));
}

function messageIn(body: string): string {
  try {
    const json: unknown = JSON.parse(body);
    if (isRecord(json) && typeof json["message"] === "string") return json["message"];
  } catch {
    // A proxy in between answers HTML or plain text.
  }
  return body;
}

/** The way to the engine failed: always `internal`, so that nobody takes it for an answer about a container. */
export function connectionError(where: string, call: string, cause: unknown): BerthError {
  return new BerthError("internal", `${call}: ${explained(where, cause)}`, { cause });
}

function explained(where: string, cause: unknown): string {
  const code = isRecord(cause) && typeof cause["code"] === "string" ? cause["code"] : "";
  if (code === "ENOENT" || code === "ECONNREFUSED") return `no engine answers at ${where} (${code}); is it running?`;
  if (code === "EACCES" || code === "EPERM")
    return `no permission to use ${where}; this user needs access to the socket (often: membership in the group docker)`;
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE") return `the connection to ${where} broke off (${code})`;
  if (code.startsWith("HPE_")) return `${where} does not speak HTTP as an engine does (${messageOf(cause)}); with TLS it needs DOCKER_TLS_VERIFY=1`;
  return `cannot talk to ${where}: ${messageOf(cause)}`;
}
