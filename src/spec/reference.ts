import { isIPv6 } from "node:net";
import { BerthError } from "../errors.ts";
import { type Digest, tryParseDigest } from "./digest.ts";

/** A parsed image reference in canonical form (contract 0.4). */
export interface Reference {
  /** `docker.io`, `127.0.0.1:5000`, … */
  readonly registry: string;
  /** Path without registry: `library/nginx`. */
  readonly path: string;
  /** `latest` when neither tag nor digest were given; informational beside a digest. */
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

const pathComponent = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[(?<ipv6>[0-9a-fA-F:.]+)\\])(?::(?<port>[0-9]+))?$`);
/** Repository, tag and the longest digest; what is longer is not worth a look. */
const maxLength = 255 + 1 + 128 + 1 + "sha512:".length + 128;
const dockerHubAliases = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** Reads and normalises `[registry[:port]/]path[:tag][@digest]`. Throws `invalid_spec`. */
export function parseReference(text: string): Reference {
  if (text.length > maxLength) throw malformed(`${text.slice(0, 64)}…`, `it is longer than ${maxLength} characters`);
  if (/^[0-9a-f]{64}$/.test(text)) throw malformed(text, "64 hex digits are an image id, not a name");
  const { name, tag, digest } = splitReference(text.replace(/^https:\/\/index\.docker\.io\/v1\//, "docker.io/"), text);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first;
  const host = hasRegistry ? first : "docker.io";
  const registry = dockerHubAliases.has(host) ? "docker.io" : host;
  const rest = hasRegistry ? name.slice(slash + 1) : name;
  const path = registry === "docker.io" && !rest.includes("/") ? `library/${rest}` : rest;
  if (!isHost(registry)) throw malformed(text, `${JSON.stringify(host)} is not a registry host`);
  if (!pathPattern.test(path)) throw malformed(text, "the repository must be lower case letters, digits and single separators");
  if (registry.length + path.length + 1 > 255) throw malformed(text, "the repository name is longer than 255 characters");
  return { registry, path, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

/** `host[:port]` as it may stand before a repository: name, IPv4 or bracketed IPv6. */
export function isHost(text: string): boolean {
  const parts = hostPattern.exec(text)?.groups;
  if (parts === undefined) return false;
  return (parts["ipv6"] === undefined || isIPv6(parts["ipv6"])) && Number(parts["port"] ?? "0") <= 65_535;
}

function splitReference(text: string, original: string): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : tryParseDigest(text.slice(at + 1));
  if (at >= 0 && digest === undefined) throw malformed(original, "the digest is not sha256:<64 hex> or sha512:<128 hex>");
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const colon = beforeDigest.lastIndexOf(":");
  const hasTag = colon > beforeDigest.lastIndexOf("/");
  const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagPattern.test(tag)) throw malformed(original, `${JSON.stringify(tag)} is not a tag`);
  return { name: hasTag ? beforeDigest.slice(0, colon) : beforeDigest, tag, digest };
}

/** A name to be given to an image: with a tag said, and without a digest. Throws `invalid_spec`. */
export function assertTagTarget(text: string): Reference {
  const reference = parseReference(text);
  const hasTag = text.lastIndexOf(":") > text.lastIndexOf("/");
  if (reference.digest !== undefined) throw malformed(text, "a name to be given has a tag and no digest");
  if (!hasTag) throw malformed(text, `a name to be given needs its tag; write ${text}:latest`);
  return reference;
}

/** The name of an image that is imported or committed: `tag` defaults to `latest`; without `repo` it has none. Throws `invalid_spec`. */
export function importTarget(repo: string | undefined, tag: string | undefined): Reference | undefined {
  if (repo === undefined || repo === "") {
    if (tag !== undefined && tag !== "") throw malformed(tag, "a tag needs a repository");
    return undefined;
  }
  const reference = parseReference(tag === undefined || tag === "" ? repo : `${repo}:${tag}`);
  if (reference.digest !== undefined) throw malformed(repo, "a name to be given has no digest");
  return reference;
}

/** `docker.io/library/nginx:1.29-alpine`, `ghcr.io/org/api@sha256:…`; with both, the tag is left out. */
export function canonicalReference(reference: Reference): string {
  const suffix = reference.digest === undefined ? `:${reference.tag ?? "latest"}` : `@${reference.digest}`;
  return `${repositoryName(reference)}${suffix}`;
}

/** Registry and path, without tag and digest. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.path}`;
}

/** As people write it: without `docker.io/` and `library/` where the rest still means the same. Takes a canonical string. */
export function familiarName(canonical: string): string {
  const short = canonical.replace(/^docker\.io\/(?:library\/(?!.*\/))?/, "");
  return meansTheSame(short, canonical) ? short : canonical;
}

/** Not so for `docker.io/localhost/x`, whose short form would name another registry. */
function meansTheSame(short: string, canonical: string): boolean {
  try {
    return canonicalReference(parseReference(short)) === canonicalReference(parseReference(canonical));
  } catch {
    return false;
  }
}

function malformed(text: string, why: string): BerthError {
  return new BerthError("invalid_spec", `invalid image reference ${JSON.stringify(text)}: ${why}`);
}
