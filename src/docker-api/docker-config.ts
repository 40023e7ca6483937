/** What a client takes from Docker's `config.json`, beside the credentials. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { BerthError, messageOf } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";

export interface DockerConfig {
  readonly home: string;
  /** `$DOCKER_CONFIG` or `~/.docker`. */
  readonly dir: string;
  readonly currentContext?: string | undefined;
  /** Sent with every request; proxies in front of an engine ask for them. */
  readonly httpHeaders: Readonly<Record<string, string>>;
}

/** A missing file is an empty one. Throws `configuration` for one that cannot be read. */
export function readDockerConfig(env: Readonly<Record<string, string | undefined>>): DockerConfig {
  const home = env["HOME"] || homedir();
  const dir = env["DOCKER_CONFIG"] || join(home, ".docker");
  const json = readJson(join(dir, "config.json"));
  const context = json["currentContext"];
  const headers = json["HttpHeaders"];
  return {
    home,
    dir,
    ...(typeof context === "string" ? { currentContext: context } : {}),
    httpHeaders: isRecord(headers)
      ? Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === "string"))
      : {},
  };
}

function readJson(path: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR")) return {};
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
