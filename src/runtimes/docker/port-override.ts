/** Method 20: replicas of one service on the host's network share its ports, so each gets one of its own. */
import { createServer } from "node:net";
import type { ContainerSummary } from "../../docker-api/containers.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { BerthError } from "../../errors.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";
import type { DockerContext } from "./context.ts";
import { stampOf } from "./labels.ts";
import { idLabel } from "../../spec/container-id.ts";

const attempts = 50;

/** Standalone containers (replica 0) keep the ports they were written for. */
export async function portOverride(ctx: DockerContext, id: ContainerId, spec: CompleteSpec): Promise<number | undefined> {
  if (!spec.hostNetwork || id.replica === 0) return undefined;
  const filters = encodeFilters({ label: [idLabel] });
  const all = await ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1, filters } });
  const taken = new Set(all.map((one) => stampOf(one.Labels).port));
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = await freePort();
    // Containers that are just being created are in no list yet.
    if (!taken.has(port) && !ctx.givenPorts.has(port)) {
      ctx.givenPorts.add(port);
      return port;
    }
  }
  throw new BerthError("create_failed", "no free port for a container on the host's network");
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "0.0.0.0", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
