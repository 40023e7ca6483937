/**
 * The one error class of Berth and its closed list of codes (contract 0.7 and 1.12).
 *
 * Callers branch on `code`. Messages are for people: lower case, naming the thing and, where there is one, the remedy.
 * No message, cause or field ever holds a password, a token or a signed URL.
 */

export const errorCodes = [
  "not_found",
  "pull_failed",
  "create_failed",
  "start_failed",
  "unexpected_exit",
  "health_check_failed",
  "init_action_failed",
  "timeout",
  "dependency_timeout",
  "invalid_spec",
  "network",
  "configuration",
  "internal",
  "unsupported",
  "route_to_peer",
  "gpu_sharing_unavailable",
  "wrong_platform",
  "conflict",
  "aborted",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Facts a caller may want to act on; which of them are present depends on the code (contract 1.12). */
export interface ErrorFields {
  /** String form of the container, or the image reference, exec, path or network that was looked for. */
  readonly container?: string | undefined;
  readonly image?: string | undefined;
  readonly id?: string | undefined;
  readonly reason?: string | undefined;
  /** Exit code recorded for a failed start: 127 not found, 126 not executable, 128 anything else. */
  readonly exitCode?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** Of `route_to_peer`: what to place elsewhere, and the operating system it needs. */
  readonly service?: string | undefined;
  readonly requiredOs?: string | undefined;
  /** HTTP status of the registry that refused, when one answered. */
  readonly status?: number | undefined;
}

export class BerthError extends Error {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, options: ErrorFields & { readonly cause?: unknown } = {}) {
    const { cause, ...fields } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BerthError";
    this.code = code;
    this.fields = fields;
  }
}

/** A registry answered with an error. Carries its HTTP status and its own error codes (distribution-spec "Error Codes"). */
export class RegistryError extends BerthError {
  readonly status: number;
  readonly registryCodes: readonly string[];

  constructor(message: string, facts: { status: number; registryCodes: readonly string[]; image: string; cause?: unknown }) {
    super("pull_failed", message, { image: facts.image, reason: message, status: facts.status, cause: facts.cause });
    this.name = "RegistryError";
    this.status = facts.status;
    this.registryCodes = facts.registryCodes;
  }
}

/** A program Berth ran ended badly. Carries what was run and the end of what it said. */
export class ProcessError extends BerthError {
  readonly args: readonly string[];
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(message: string, facts: { args: readonly string[]; exitCode: number | undefined; stderr: string; cause?: unknown }) {
    super("internal", message, { cause: facts.cause });
    this.name = "ProcessError";
    this.args = facts.args;
    this.exitCode = facts.exitCode;
    this.stderr = facts.stderr;
  }
}

/** Bytes that arrived are not the bytes that were promised. */
export class DigestMismatchError extends BerthError {
  readonly expected: string;
  readonly actual: string;

  constructor(what: string, facts: { expected: string; actual: string; image?: string }) {
    const message = `${what}: expected ${facts.expected} but got ${facts.actual}`;
    super("pull_failed", message, { image: facts.image, reason: message });
    this.name = "DigestMismatchError";
    this.expected = facts.expected;
    this.actual = facts.actual;
  }
}

/** A backend cannot do this (contract 0.1). Names the method, the backend and the reason. */
export class UnsupportedError extends BerthError {
  readonly method: string;
  readonly backend: string;

  constructor(method: string, backend: string, reason: string) {
    super("unsupported", `${method} is not supported by the ${backend} backend: ${reason}`, { reason });
    this.name = "UnsupportedError";
    this.method = method;
    this.backend = backend;
  }
}

export function isBerthError(value: unknown, code?: ErrorCode): value is BerthError {
  return value instanceof BerthError && (code === undefined || value.code === code);
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
