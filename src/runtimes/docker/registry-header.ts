/** Credentials of one call as the header an engine takes: inline ones, else those of Docker's config file (contract 4.5). */
import { encodeRegistryAuth, registryAuthHeader } from "../../docker-api/registry-auth.ts";
import { resolveCredentials } from "../../registry/credentials.ts";
import type { RegistryAuth } from "../../runtime/types.ts";
import type { DockerContext } from "./context.ts";

/** What `docker login` names Docker Hub. */
const dockerHub = "https://index.docker.io/v1/";

export async function registryHeader(ctx: DockerContext, registry: string, auth: RegistryAuth | undefined): Promise<Readonly<Record<string, string>>> {
  const found = await resolveCredentials(registry, auth, [ctx.credentials]);
  // Docker demands the header of a push; for a pull an empty one is nobody.
  if (found === undefined) return { [registryAuthHeader]: encodeRegistryAuth({}) };
  const serveraddress = registry === "docker.io" ? dockerHub : registry;
  const { username, password } = found;
  const wire = found.authType === "token" ? { identitytoken: password, serveraddress } : { username, password, serveraddress };
  return { [registryAuthHeader]: encodeRegistryAuth(wire) };
}
