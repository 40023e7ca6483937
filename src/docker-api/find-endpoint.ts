/** Which engine is meant: the conventions of the docker CLI, then the usual sockets. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type DockerConfig, readDockerConfig } from "./docker-config.ts";
import { contextEndpoint } from "./docker-contexts.ts";
import { endpointText, type EngineEndpoint, type EngineTls, parseEndpoint } from "./endpoint.ts";
import { readPem } from "./pem-file.ts";

export interface FoundEndpoint {
  readonly endpoint: EngineEndpoint;
  /** Who named it, for messages: `DOCKER_HOST`, `context colima`, a path. */
  readonly source: string;
}

export interface FindEndpointOptions {
  /** Wins over everything. */
  readonly endpoint?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The engines to try, best first. Named by `endpoint`, `DOCKER_HOST`, `DOCKER_CONTEXT` or `currentContext` of config.json:
 * that one alone. Else every usual socket that is there; none is an empty list. Throws `configuration`.
 */
export function findEndpoints(o: FindEndpointOptions): readonly FoundEndpoint[] {
  const config = readDockerConfig(o.env);
  const named = namedEndpoint(o, config);
  if (named !== undefined) return [named];
  return usualSockets(o.env, config)
    .filter(isSocket)
    .map((path) => ({ endpoint: { kind: "socket", path }, source: path }));
}

function namedEndpoint(o: FindEndpointOptions, config: DockerConfig): FoundEndpoint | undefined {
  const { env } = o;
  if (o.endpoint !== undefined && o.endpoint !== "") return { endpoint: parseEndpoint(o.endpoint, environmentTls(env, config)), source: o.endpoint };
  const host = env["DOCKER_HOST"];
  if (host !== undefined && host !== "") return { endpoint: parseEndpoint(host, environmentTls(env, config)), source: `DOCKER_HOST=${host}` };
  const context = env["DOCKER_CONTEXT"] || config.currentContext;
  if (context === undefined || context === "" || context === "default") return undefined;
  const endpoint = contextEndpoint(config.dir, context);
  return { endpoint, source: `context ${context} (${endpointText(endpoint)})` };
}

/** `DOCKER_TLS_VERIFY` or `DOCKER_TLS`, with the files of `DOCKER_CERT_PATH` or else of the config directory. */
function environmentTls(env: FindEndpointOptions["env"], config: DockerConfig): EngineTls | undefined {
  const verify = (env["DOCKER_TLS_VERIFY"] ?? "") !== "";
  if (!verify && (env["DOCKER_TLS"] ?? "") === "") return undefined;
  const dir = env["DOCKER_CERT_PATH"] || config.dir;
  return { verify, ca: readPem(join(dir, "ca.pem")), cert: readPem(join(dir, "cert.pem")), key: readPem(join(dir, "key.pem")) };
}

/** Docker, Docker rootless and Desktop, Colima, Rancher Desktop, OrbStack, Podman. */
function usualSockets(env: FindEndpointOptions["env"], { home }: DockerConfig): readonly string[] {
  const runtime = env["XDG_RUNTIME_DIR"];
  const inRuntime = (name: string): string[] => (runtime === undefined || runtime === "" ? [] : [join(runtime, name)]);
  const colima = env["COLIMA_HOME"] || join(home, ".colima");
  return [
    "/var/run/docker.sock",
    ...inRuntime("docker.sock"),
    join(home, ".docker/run/docker.sock"),
    join(home, ".docker/desktop/docker.sock"),
    join(colima, "default/docker.sock"),
    join(home, ".config/colima/default/docker.sock"),
    join(home, ".rd/docker.sock"),
    join(home, ".orbstack/run/docker.sock"),
    "/run/podman/podman.sock",
    ...inRuntime("podman/podman.sock"),
    join(home, ".local/share/containers/podman/machine/podman.sock"),
  ];
}

/** A directory of somebody else's is no place to find one. */
function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}
