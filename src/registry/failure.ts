/** What can go wrong on the wire, and how it is told to the caller. */
import { BerthError, isBerthError, messageOf, RegistryError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";

/**
 * `nobody`: no such host or nothing listens; `untrusted`: the certificate; `protocol`: what came is not HTTP(S);
 * `lost`: the connection broke or fell silent; `refused`: it answered, but with what we do not accept.
 */
export type NetworkTrouble = "nobody" | "untrusted" | "protocol" | "lost" | "refused";

/** No answer, or no complete one. Internal: becomes a {@link RegistryUnreachableError} at the door. */
export class NetworkFailure extends Error {
  readonly trouble: NetworkTrouble;
  readonly host: string;

  constructor(trouble: NetworkTrouble, host: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.trouble = trouble;
    this.host = host;
  }
}

/** An answer that is no success. Internal: becomes a {@link RegistryError} at the door. */
export class StatusFailure extends Error {
  readonly status: number;
  readonly host: string;
  readonly codes: readonly string[];
  /** The registry's own words, cleaned; may be empty. */
  readonly text: string;
  readonly retryAfterMs: number | undefined;

  constructor(facts: { status: number; host: string; codes?: readonly string[]; text?: string; retryAfterMs?: number | undefined }) {
    super(`${facts.host} answered ${facts.status}`);
    this.status = facts.status;
    this.host = facts.host;
    this.codes = facts.codes ?? [];
    this.text = facts.text ?? "";
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** The registry could not be reached or did not finish its answer. */
export class RegistryUnreachableError extends BerthError {
  readonly host: string;

  constructor(message: string, facts: { host: string; image: string; cause?: unknown }) {
    super("pull_failed", message, { image: facts.image, reason: message, cause: facts.cause });
    this.name = "RegistryUnreachableError";
    this.host = facts.host;
  }
}

/** Whether the registry is out of reach or out of order just now, so that a local copy may do (policy `newer`). */
export function isRegistryUnavailable(thrown: unknown): boolean {
  if (thrown instanceof RegistryError) return thrown.status === 429 || thrown.status >= 500;
  return thrown instanceof RegistryUnreachableError;
}

const nobodyCodes = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]);
const certificateCodes = /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER))/;

/** Sorts an error of Node's network modules. */
export function toNetworkFailure(thrown: unknown, host: string): NetworkFailure {
  if (thrown instanceof NetworkFailure) return thrown;
  const code = isRecord(thrown) && typeof thrown["code"] === "string" ? thrown["code"] : "";
  const [first]: readonly unknown[] = thrown instanceof AggregateError ? thrown.errors : [];
  const message = messageOf(thrown) || messageOf(first ?? code);
  if (nobodyCodes.has(code)) return new NetworkFailure("nobody", host, message, thrown);
  if (certificateCodes.test(code)) return new NetworkFailure("untrusted", host, message, thrown);
  if (code === "EPROTO" || /^(?:ERR_SSL_|HPE_)/.test(code)) return new NetworkFailure("protocol", host, message, thrown);
  return new NetworkFailure("lost", host, message, thrown);
}

/** The error of the contract for a failure on the wire. `what` names the thing asked for: the reference, or a blob of it. */
export function toBerthError(thrown: unknown, o: { readonly image: string; readonly what: string; readonly anonymous: boolean }): unknown {
  if (thrown instanceof StatusFailure) {
    const message = statusMessage(thrown, o);
    return new RegistryError(message, { status: thrown.status, registryCodes: thrown.codes, image: o.image });
  }
  if (thrown instanceof NetworkFailure && thrown.trouble === "refused") {
    const reason = `registry ${thrown.host} gave an answer for ${o.what} that is refused: ${thrown.message}`;
    return new BerthError("pull_failed", reason, { image: o.image, reason, cause: thrown.cause });
  }
  if (thrown instanceof NetworkFailure) {
    return new RegistryUnreachableError(networkMessage(thrown), { host: thrown.host, image: o.image, cause: thrown.cause });
  }
  // A malformed document is the registry's fault, not the caller's.
  if (isBerthError(thrown, "invalid_spec")) {
    const reason = `${o.what}: ${thrown.message}`;
    return new BerthError("pull_failed", reason, { image: o.image, reason, cause: thrown });
  }
  return thrown;
}

function statusMessage(failure: StatusFailure, o: { readonly what: string; readonly anonymous: boolean }): string {
  const { status, host, text } = failure;
  const own = text === "" ? "" : ` (${text})`;
  if (status === 404) return `not found: ${o.what}${own}`;
  if (status === 401 || status === 403) {
    const remedy = o.anonymous ? "it does not exist or needs credentials" : "check user name, password and permissions";
    return `access to ${o.what} denied by ${host} with status ${status}; ${remedy}${own}`;
  }
  if (status === 429) return `${host} refuses more requests for now while asked for ${o.what}; try later${own}`;
  return `${host} answered status ${status} for ${o.what}${own}`;
}

function networkMessage({ trouble, host, message }: NetworkFailure): string {
  if (trouble === "untrusted") {
    return `certificate of registry ${host} is not trusted: ${message}; add its authority to NODE_EXTRA_CA_CERTS or list the host in BERTH_INSECURE_REGISTRIES`;
  }
  if (trouble === "protocol") {
    return `registry ${host} does not speak the expected protocol: ${message.trim()}; if it has no TLS, list it in BERTH_INSECURE_REGISTRIES`;
  }
  return trouble === "nobody" ? `cannot reach registry ${host}: ${message}` : `connection to registry ${host} failed: ${message}`;
}

/** Codes and words of an error body (distribution-spec "Error Codes"; the token endpoint's `details` and `error_description`). */
export function readErrorBody(bytes: Uint8Array, secrets: readonly string[]): { codes: readonly string[]; text: string } {
  const body = new TextDecoder().decode(bytes);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    // Proxies answer in HTML, which tells a person nothing.
    return { codes: [], text: /^\s*</.test(body) ? "" : clean(body, secrets) };
  }
  if (!isRecord(json)) return { codes: [], text: "" };
  const errors = Array.isArray(json["errors"]) ? json["errors"].filter(isRecord) : [];
  const codes = errors.flatMap(({ code }) => (typeof code === "string" ? [clean(code, secrets)] : []));
  const texts = errors.map(({ code, message }) => [code, message].filter((part) => typeof part === "string" && part !== "").join(": "));
  const other = ["details", "error_description", "message", "error"].map((key) => json[key]).find((value) => typeof value === "string");
  return { codes, text: clean(texts.join("; ") || String(other ?? ""), secrets) };
}

/** A stranger's text, safe to show: one line, short, no secret, no query string of a URL. */
export function clean(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) if (secret.length > 3) shown = shown.replaceAll(secret, "…");
  return shown
    .replace(/(https?:\/\/)[^\s/"'@]*@/gi, "$1")
    .replace(/(https?:\/\/[^\s"'?]*)\?[^\s"']*/gi, "$1")
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 500);
}
