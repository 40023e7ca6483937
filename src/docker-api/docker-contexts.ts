/** The docker CLI's contexts: one directory each, named by the SHA-256 of the context's name. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";
import { type EngineEndpoint, type EngineTls, parseEndpoint } from "./endpoint.ts";
import { readPem } from "./pem-file.ts";

/** The engine of a context. `dir` is Docker's config directory. Throws `configuration` when there is no such context. */
export function contextEndpoint(dir: string, name: string): EngineEndpoint {
  const id = createHash("sha256").update(name).digest("hex");
  const path = join(dir, "contexts", "meta", id, "meta.json");
  const docker = dockerEndpointOf(path, name);
  const host = docker["Host"];
  if (typeof host !== "string" || host === "") throw new BerthError("configuration", `docker context ${JSON.stringify(name)} names no host (${path})`);
  return parseEndpoint(host, contextTls(join(dir, "contexts", "tls", id, "docker"), docker["SkipTLSVerify"] === true));
}

function dockerEndpointOf(path: string, name: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(readFileSync(path, "utf8"));
    const endpoints = isRecord(json) ? json["Endpoints"] : undefined;
    const docker = isRecord(endpoints) ? endpoints["docker"] : undefined;
    return isRecord(docker) ? docker : {};
  } catch (cause) {
    throw new BerthError("configuration", `docker context ${JSON.stringify(name)} cannot be read from ${path}; "docker context ls" shows those there are`, {
      cause,
    });
  }
}

/** Only a context with certificates, or one that says not to look at them, speaks TLS. */
function contextTls(dir: string, skipVerify: boolean): EngineTls | undefined {
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((file) => readPem(join(dir, file)));
  if (ca === undefined && cert === undefined && key === undefined && !skipVerify) return undefined;
  return { ca, cert, key, verify: !skipVerify };
}
