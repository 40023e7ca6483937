/** Routes of things this engine is not: a swarm, a builder, a host of plugins. Each says so in words clients know. */
import type { Call } from "../call.ts";
import { HttpError } from "../status.ts";
import { del, get, type Method, post, type Route } from "../route.ts";

const notManager = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function refuse(status: number, message: string): (call: Call) => void {
  return () => {
    throw new HttpError(status, message);
  };
}

const swarmReads: readonly (readonly [Method, string])[] = [
  ["GET", "/swarm"],
  ["GET", "/swarm/unlockkey"],
  ["POST", "/swarm/update"],
  ["POST", "/swarm/unlock"],
  ["GET", "/services"],
  ["POST", "/services/create"],
  ["GET", "/services/:id"],
  ["POST", "/services/:id/update"],
  ["DELETE", "/services/:id"],
  ["GET", "/services/:id/logs"],
  ["GET", "/nodes"],
  ["GET", "/nodes/:id"],
  ["POST", "/nodes/:id/update"],
  ["DELETE", "/nodes/:id"],
  ["GET", "/tasks"],
  ["GET", "/tasks/:id"],
  ["GET", "/tasks/:id/logs"],
  ...(["secrets", "configs"] as const).flatMap((kind): (readonly [Method, string])[] => [
    ["GET", `/${kind}`],
    ["POST", `/${kind}/create`],
    ["GET", `/${kind}/:id`],
    ["POST", `/${kind}/:id/update`],
    ["DELETE", `/${kind}/:id`],
  ]),
];

const noBuild = "this engine does not build images: POST /build is not supported; build elsewhere and push or load the image";
const noSession = "this engine has no BuildKit: sessions are not supported; set DOCKER_BUILDKIT=0 or build elsewhere";

export const notHereRoutes: readonly Route[] = [
  ...swarmReads.map(([method, path]): Route => ({ method, path, handle: refuse(503, notManager) })),
  post("/swarm/init", refuse(501, "this engine cannot be a swarm manager")),
  post("/swarm/join", refuse(501, "this engine cannot join a swarm")),
  post("/swarm/leave", refuse(503, "This node is not part of a swarm")),
  post("/session", refuse(501, noSession)),
  get("/grpc", refuse(501, noSession)),
  post("/grpc", refuse(501, noSession)),
  post("/build", refuse(501, noBuild)),
  post("/build/cancel", refuse(501, noBuild)),
  post("/build/prune", (call) => call.answer(200, { CachesDeleted: null, SpaceReclaimed: 0 })),
  get("/plugins", (call) => call.answer(200, [])),
  get("/plugins/:name*/json", (call) => {
    throw new HttpError(404, `plugin "${call.param("name")}" not found`);
  }),
  del("/plugins/:name*", (call) => {
    throw new HttpError(404, `plugin "${call.param("name")}" not found`);
  }),
  { method: "PUT", path: "/volumes/:name", handle: refuse(501, "cluster volumes are not supported by this engine") },
];
