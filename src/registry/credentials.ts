/** Who we are at a registry: inline credentials, then docker's config.json, then nobody (contract 4.5). */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { BerthError, messageOf } from "../errors.ts";
import { runToEnd } from "../internal/spawn.ts";
import { isRecord } from "../spec/descriptor.ts";
import { canonicalHost } from "./config.ts";
import type { Credentials } from "./types.ts";

/** Looks up credentials by canonical registry host (`docker.io`, `ghcr.io`, `127.0.0.1:5000`); `undefined` is anonymous. */
export type CredentialSource = (registry: string) => Promise<Credentials | undefined>;

type Environment = Readonly<Record<string, string | undefined>>;
type Json = Readonly<Record<string, unknown>>;

/** Empty user name and password count as absent (Docker's `{}` header). */
export function presentCredentials(credentials: Credentials | undefined): Credentials | undefined {
  return credentials === undefined || (credentials.username === "" && credentials.password === "") ? undefined : credentials;
}

/** The first of inline credentials and sources that has any; exactly that one is used. */
export async function resolveCredentials(
  registry: string,
  inline: Credentials | undefined,
  sources: readonly CredentialSource[],
): Promise<Credentials | undefined> {
  const own = presentCredentials(inline);
  if (own !== undefined) return own;
  for (const source of sources) {
    const found = presentCredentials(await source(registry));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Reads `$DOCKER_CONFIG/config.json` or `~/.docker/config.json` at every call: `auths`, then `credHelpers` of the host,
 * then `credsStore`. Throws `configuration` when the file or a helper it names cannot be used.
 */
export function dockerConfigCredentials(env: Environment): CredentialSource {
  const path = join(env["DOCKER_CONFIG"] || join(env["HOME"] || homedir(), ".docker"), "config.json");
  return async (registry) => {
    const config = readConfig(path);
    if (config === undefined) return undefined;
    const inline = byHost(config["auths"], registry)?.value;
    const stored = isRecord(inline) ? storedCredentials(inline, registry, path) : undefined;
    if (stored !== undefined) return stored;
    const own = byHost(config["credHelpers"], registry);
    const helper = own?.value ?? config["credsStore"];
    if (typeof helper !== "string" || helper === "") return undefined;
    return askHelper(helper, own?.key ?? (registry === "docker.io" ? dockerHubKey : registry), env);
  };
}

/** What `docker login` writes for Docker Hub. */
const dockerHubKey = "https://index.docker.io/v1/";

function readConfig(path: string): Json | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (isRecord(cause) && (cause["code"] === "ENOENT" || cause["code"] === "ENOTDIR")) return undefined;
    throw new BerthError("configuration", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
  try {
    const json: unknown = JSON.parse(text);
    if (isRecord(json)) return json;
  } catch {
    // The parser's own message quotes the text, which holds secrets.
  }
  throw new BerthError("configuration", `${path} is not a JSON object; mend or remove it`);
}

/** The entry of exactly this host, else one whose key is a URL or another spelling of it. */
function byHost(entries: unknown, registry: string): { readonly key: string; readonly value: unknown } | undefined {
  if (!isRecord(entries)) return undefined;
  const keys = Object.keys(entries);
  const key = keys.find((name) => name === registry) ?? keys.find((name) => hostOfKey(name) === registry);
  return key === undefined ? undefined : { key, value: entries[key] };
}

function hostOfKey(key: string): string {
  const host = key.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
  return canonicalHost(host);
}

function storedCredentials(entry: Json, registry: string, path: string): Credentials | undefined {
  const token = text(entry["identitytoken"]) || text(entry["registrytoken"]);
  if (token !== "") return { username: tokenUser, password: token, authType: "token" };
  const decoded = text(entry["auth"]) === "" ? undefined : decodeAuth(text(entry["auth"]), registry, path);
  return presentCredentials(decoded ?? { username: text(entry["username"]), password: text(entry["password"]) });
}

const tokenUser = "<token>";

function decodeAuth(auth: string, registry: string, path: string): Credentials {
  const plain = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = plain.indexOf(":");
  if (colon < 0) throw new BerthError("configuration", `the auth entry of ${registry} in ${path} is not base64 of user:password`);
  return typed(plain.slice(0, colon), plain.slice(colon + 1));
}

function typed(username: string, password: string): Credentials {
  return { username, password, authType: username === tokenUser ? "token" : "basic" };
}

async function askHelper(helper: string, serverUrl: string, env: Environment): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(helper)) throw new BerthError("configuration", `${JSON.stringify(helper)} is no name of a credential helper`);
  const program = `docker-credential-${helper}`;
  const done = await runToEnd(program, ["get"], { input: serverUrl, env }).catch((cause: unknown) => {
    throw new BerthError("configuration", `cannot run ${program}, which docker's config.json names; install it or remove the entry`, { cause });
  });
  if (done.exitCode !== 0) {
    const said = done.stdout.trim() || done.stderr;
    if (/credentials not found/i.test(said)) return undefined;
    throw new BerthError("configuration", `${program} has no answer for ${serverUrl}: ${said.slice(0, 200) || `exit code ${done.exitCode}`}`);
  }
  return presentCredentials(parseHelperAnswer(done.stdout, program));
}

function parseHelperAnswer(stdout: string, program: string): Credentials {
  try {
    const json: unknown = JSON.parse(stdout);
    if (isRecord(json) && typeof json["Username"] === "string" && typeof json["Secret"] === "string") return typed(json["Username"], json["Secret"]);
  } catch {
    // Not quoted: it may hold the secret.
  }
  throw new BerthError("configuration", `${program} answered something other than credentials`);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
