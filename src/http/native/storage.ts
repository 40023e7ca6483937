/** `/api/v1/volumes` and `/api/v1/container-networks`. */
import { z } from "zod";
import { BerthError, UnsupportedError } from "../../errors.ts";
import type { NetworkDetails, NetworksFacet, VolumeDetails } from "../../runtime/extras.ts";
import { withContainer } from "../docker/container-ref.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { volumesOf } from "../docker/volumes.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { flag, listed, networkInfo, networkRequest, volumeInfo, volumeRequest } from "./schemas.ts";

export function volumeRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "volumes";
  return [
    route({
      method: "GET",
      path: "/volumes",
      summary: "List volumes",
      tag,
      role: "reader",
      answer: { status: 200, schema: z.array(volumeInfo) },
      handle: async (call) => call.answer(200, (await volumesOf(engine).list()).map(toVolumeInfo)),
    }),
    route({
      method: "POST",
      path: "/volumes",
      summary: "Create a volume",
      tag,
      role: "operator",
      body: volumeRequest,
      answer: { status: 201, schema: volumeInfo },
      handle: async (call, { body }) => {
        const volumes = volumesOf(engine);
        const { name } = body;
        if (name !== undefined && (await volumes.list()).some((volume) => volume.name === name))
          throw new BerthError("conflict", `volume ${name} exists already`);
        call.answer(201, toVolumeInfo(await volumes.create({ name, labels: body.labels, options: body.size === undefined ? undefined : { size: body.size } })));
      },
    }),
    route({
      method: "GET",
      path: "/volumes/:name",
      summary: "One volume",
      tag,
      role: "reader",
      answer: { status: 200, schema: volumeInfo },
      handle: async (call) => call.answer(200, toVolumeInfo(await volumesOf(engine).inspect(call.param("name")))),
    }),
    route({
      method: "DELETE",
      path: "/volumes/:name",
      summary: "Remove a volume",
      tag,
      role: "operator",
      query: z.object({ force: flag }),
      answer: { status: 204 },
      handle: async (call, { query }) => {
        await volumesOf(engine).remove(call.param("name"), { force: query.force });
        call.empty(204);
      },
    }),
  ];
}

function toVolumeInfo(volume: VolumeDetails): z.infer<typeof volumeInfo> {
  return {
    name: volume.name,
    path: volume.mountpoint,
    labels: { ...volume.labels },
    created_at: volume.createdAt?.toISOString(),
    in_use_by: [...volume.usedBy],
  };
}

export function networkRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "container-networks";
  const path = "/container-networks";
  return [
    route({
      method: "POST",
      path,
      summary: "Create a network",
      tag,
      role: "operator",
      body: networkRequest,
      answer: { status: 201, schema: networkInfo },
      handle: async (call, { body }) => {
        if (body.driver === "overlay") throw new BerthError("unsupported", "overlay networks need a cluster; this engine is a single node");
        const subnets = body.subnet === undefined ? undefined : [{ subnet: body.subnet }];
        call.answer(201, toNetworkInfo(await networksOf(engine).create({ name: body.name, internal: body.internal, labels: body.labels, subnets })));
      },
    }),
    route({
      method: "GET",
      path,
      summary: "List networks",
      tag,
      role: "reader",
      query: z.object({ label: listed }),
      answer: { status: 200, schema: z.array(networkInfo) },
      handle: async (call, { query }) => {
        const found = (await networksOf(engine).list()).filter((network) => matchesLabels(network.labels, query.label ?? []));
        call.answer(200, found.map(toNetworkInfo));
      },
    }),
    route({
      method: "GET",
      path: `${path}/:id`,
      summary: "One network",
      tag,
      role: "reader",
      answer: { status: 200, schema: networkInfo },
      handle: async (call) => call.answer(200, toNetworkInfo(await networksOf(engine).inspect(call.param("id")))),
    }),
    route({
      method: "DELETE",
      path: `${path}/:id`,
      summary: "Remove a network; `force` disconnects its members first",
      tag,
      role: "operator",
      query: z.object({ force: flag }),
      answer: { status: 204 },
      handle: async (call, { query }) => {
        const networks = networksOf(engine);
        const ref = call.param("id");
        if (query.force === true) {
          for (const { containerId } of (await networks.inspect(ref)).containers)
            if (containerId !== undefined) await networks.disconnect(ref, containerId, { force: true });
        }
        await networks.remove(ref);
        call.empty(204);
      },
    }),
    route({
      method: "POST",
      path: `${path}/:id/connect`,
      summary: "Connect a container",
      tag,
      role: "operator",
      body: z.strictObject({ container_id: z.string(), aliases: z.array(z.string()).optional(), ipv4_address: z.string().optional() }),
      answer: { status: 204 },
      handle: (call, { body }) =>
        withContainer(engine, body.container_id, async ({ id }) => {
          await networksOf(engine).connect(call.param("id"), id, { aliases: body.aliases, ipv4: body.ipv4_address });
          call.empty(204);
        }),
    }),
    route({
      method: "POST",
      path: `${path}/:id/disconnect`,
      summary: "Disconnect a container",
      tag,
      role: "operator",
      body: z.strictObject({ container_id: z.string(), force: z.boolean().optional() }),
      answer: { status: 204 },
      handle: (call, { body }) =>
        withContainer(engine, body.container_id, async ({ id }) => {
          await networksOf(engine).disconnect(call.param("id"), id, { force: body.force });
          call.empty(204);
        }),
    }),
  ];
}

function networksOf(engine: NativeEngine): NetworksFacet {
  const networks = engine.runtime.extras?.networks;
  if (networks === undefined) throw new UnsupportedError("networks", engine.runtime.backend, "it manages no networks");
  return networks;
}

function toNetworkInfo(network: NetworkDetails): z.infer<typeof networkInfo> {
  return {
    id: network.id,
    name: network.name,
    driver: network.driver,
    subnet: network.subnets[0]?.subnet,
    labels: { ...network.labels },
    internal: network.internal,
    created_at: network.createdAt?.toISOString(),
    containers: network.containers.map(({ hexId }) => hexId),
  };
}
