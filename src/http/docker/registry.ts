/** Routes that ask a registry: login and distribution. */
import type { DistributionInspect } from "../../docker-api/images.ts";
import { UnsupportedError } from "../../errors.ts";
import { toOciPlatform } from "../../spec/platform.ts";
import type { Call } from "../call.ts";
import { HttpError } from "../status.ts";
import type { DockerEngine } from "./engine.ts";
import { authOf, registryAuth } from "./image-transfer.ts";
import { checkShape } from "./wire-shape.ts";

export async function inspectDistribution(engine: DockerEngine, call: Call): Promise<void> {
  const { resolveImage: resolve } = engine.runtime.extras ?? {};
  if (resolve === undefined) throw new UnsupportedError("resolveImage", engine.runtime.backend, "it cannot ask a registry");
  const { descriptor, platforms } = await resolve(call.param("name"), authOf(call), { signal: call.signal });
  const { mediaType, digest, size } = descriptor;
  const report: DistributionInspect = {
    Descriptor: { mediaType, digest, size },
    Platforms: platforms.map((platform) => {
      const { architecture, os, variant } = toOciPlatform(platform);
      return { architecture, os, ...(variant === undefined ? {} : { variant }) };
    }),
  };
  call.answer(200, report);
}

const authShape = {
  fields: { username: "string", password: "string", serveraddress: "string", identitytoken: "string", registrytoken: "string", auth: "string" },
} as const;

/** POST /auth: says whether a registry takes these credentials. They are kept by the client, not here. */
export async function login(engine: DockerEngine, call: Call): Promise<void> {
  const body = await call.json();
  checkShape(body, authShape, "");
  const auth = registryAuth(body);
  if (auth === undefined) throw new HttpError(400, "username and password must be given");
  const { checkLogin } = engine.runtime.extras ?? {};
  if (checkLogin === undefined) throw new UnsupportedError("checkLogin", engine.runtime.backend, "it cannot ask a registry");
  const server = typeof body["serveraddress"] === "string" ? body["serveraddress"] : "";
  if (!(await checkLogin(server, auth, { signal: call.signal }))) {
    throw new HttpError(401, `login attempt to ${server || "docker.io"} failed with status: 401 Unauthorized`);
  }
  call.answer(200, { Status: "Login Succeeded", IdentityToken: "" });
}
