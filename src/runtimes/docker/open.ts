/** Opens the docker backend: finds an engine, agrees on a version, learns what it is. */
import { readDockerConfig } from "../../docker-api/docker-config.ts";
import { EngineClient } from "../../docker-api/engine-client.ts";
import { findEndpoints, type FoundEndpoint } from "../../docker-api/find-endpoint.ts";
import { BerthError, messageOf } from "../../errors.ts";
import { KeyedLock } from "../../internal/keyed-lock.ts";
import { dockerConfigCredentials } from "../../registry/credentials.ts";
import { DockerRuntime } from "./docker-runtime.ts";
import { engineFacts } from "./engine-info.ts";
import { EngineIds } from "./engine-ids.ts";
import { WaitRegistrations } from "./wait-registrations.ts";

export interface DockerOptions {
  /** As in `DOCKER_HOST`; absent = Docker's environment variables, its current context, or the usual sockets. */
  readonly endpoint?: string | undefined;
  /** Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Until an answer is complete, or a stream has begun. Default 60,000. */
  readonly answerTimeoutMs?: number | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** The first engine that answers. Throws `configuration` when there is none to try, else why the last one was refused. */
export async function openDockerRuntime(o: DockerOptions = {}): Promise<DockerRuntime> {
  const env = o.env ?? process.env;
  const candidates = findEndpoints({ endpoint: o.endpoint, env });
  if (candidates.length === 0) {
    throw new BerthError("configuration", "no engine was found: none of the usual sockets is there; start Docker or Podman, or name one by DOCKER_HOST");
  }
  const refusals: string[] = [];
  for (const candidate of candidates) {
    try {
      return await connect(candidate, o, env);
    } catch (thrown) {
      if (candidates.length === 1) throw thrown;
      refusals.push(`${candidate.source}: ${messageOf(thrown)}`);
    }
  }
  throw new BerthError("internal", `no engine answers: ${refusals.join("; ")}`);
}

async function connect({ endpoint }: FoundEndpoint, o: DockerOptions, env: NonNullable<DockerOptions["env"]>): Promise<DockerRuntime> {
  const { httpHeaders } = readDockerConfig(env);
  const apiVersion = env["DOCKER_API_VERSION"] || undefined;
  const client = new EngineClient({ endpoint, headers: httpHeaders, apiVersion, answerTimeoutMs: o.answerTimeoutMs });
  try {
    const facts = await engineFacts(client, endpoint);
    return new DockerRuntime({
      client,
      facts,
      ids: new EngineIds(client),
      locks: new KeyedLock(),
      waits: new WaitRegistrations(),
      givenPorts: new Set(),
      credentials: dockerConfigCredentials(env),
      onWarning: o.onWarning ?? (() => {}),
    });
  } catch (thrown) {
    client.close();
    throw thrown;
  }
}
