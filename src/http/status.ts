/** The one place where an error becomes an HTTP status (contract 1.12). */
import { type BerthError, type ErrorCode, isBerthError, messageOf, RegistryError } from "../errors.ts";

/** An answer that has no error code of its own: a route that is not there, a body too large, a client that may not. */
export class HttpError extends Error {
  readonly status: number;
  /** In the native error body, where the status does not say it. */
  readonly nativeCode: string | undefined;

  constructor(status: number, message: string, options: { readonly cause?: unknown; readonly nativeCode?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HttpError";
    this.status = status;
    this.nativeCode = options.nativeCode;
  }
}

interface Statuses {
  readonly docker: number;
  readonly native: number;
}

const both = (status: number): Statuses => ({ docker: status, native: status });

const statuses: Readonly<Record<ErrorCode, Statuses>> = {
  not_found: both(404),
  pull_failed: both(500),
  create_failed: both(500),
  start_failed: both(500),
  unexpected_exit: both(500),
  health_check_failed: both(500),
  init_action_failed: both(500),
  timeout: { docker: 500, native: 504 },
  dependency_timeout: { docker: 500, native: 504 },
  invalid_spec: both(400),
  network: both(500),
  configuration: both(500),
  internal: both(500),
  unsupported: both(501),
  route_to_peer: both(409),
  gpu_sharing_unavailable: both(500),
  wrong_platform: both(500),
  conflict: both(409),
  aborted: { docker: 500, native: 503 },
};

export type Dialect = "docker" | "native";

export function statusOf(error: unknown, dialect: Dialect): number {
  if (error instanceof HttpError) return error.status;
  if (!isBerthError(error)) return 500;
  return specialStatus(error, dialect) ?? statuses[error.code][dialect];
}

function specialStatus(error: BerthError, dialect: Dialect): number | undefined {
  if (error.code === "pull_failed") {
    const status = error instanceof RegistryError ? error.status : error.fields.status;
    return status === 404 ? 404 : undefined;
  }
  // A command that is not there or may not run is the caller's mistake, in Docker's eyes.
  if (error.code === "start_failed" && dialect === "docker") return error.fields.exitCode === 126 || error.fields.exitCode === 127 ? 400 : undefined;
  return undefined;
}

/** Codes of the native error body; the status decides where the error has no code of its own. */
export function nativeCode(error: unknown): string {
  const status = statusOf(error, "native");
  if (isBerthError(error, "invalid_spec")) return "validation_error";
  if (error instanceof HttpError && error.nativeCode !== undefined) return error.nativeCode;
  return nativeCodes[status] ?? (status < 500 ? "bad_request" : "internal_error");
}

const nativeCodes: Readonly<Record<number, string>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  429: "rate_limited",
  501: "not_implemented",
  503: "service_unavailable",
};

export function errorBody(error: unknown, dialect: Dialect): object {
  const message = messageOf(error);
  return dialect === "docker" ? { message } : { error: nativeCode(error), message };
}
