/** Every route of the Docker Engine API (contract 4.9). */
import { del, get, head, post, put, type Route } from "../route.ts";
import type { Call } from "../call.ts";
import { getArchive, headArchive, putArchive, exportContainer } from "./container-archive.ts";
import { attachContainer } from "./container-attach.ts";
import { createContainer } from "./container-create.ts";
import { inspectContainer } from "./container-inspect.ts";
import * as lifecycle from "./container-lifecycle.ts";
import { listContainers } from "./container-list.ts";
import { containerLogs } from "./container-logs.ts";
import { containerChanges, containerPorts, topContainer } from "./container-observe.ts";
import { containerStats } from "./container-stats.ts";
import { waitContainer } from "./container-wait.ts";
import { diskUsage } from "./disk-usage.ts";
import type { DockerEngine } from "./engine.ts";
import { events } from "./events.ts";
import { createExec, inspectExec, resizeExec, startExec } from "./exec.ts";
import { commitContainer } from "./image-commit.ts";
import { createImage, loadImages, pushImage } from "./image-transfer.ts";
import * as images from "./images.ts";
import * as networks from "./networks.ts";
import { notHereRoutes } from "./not-here.ts";
import { inspectDistribution, login } from "./registry.ts";
import { infoReport, versionReport } from "./system.ts";
import { systemPrune } from "./system-prune.ts";
import * as volumes from "./volumes.ts";

type Handler = (engine: DockerEngine, call: Call) => Promise<void> | void;

export function dockerRoutes(engine: DockerEngine): readonly Route[] {
  const on = (handler: Handler) => (call: Call) => handler(engine, call);
  return [
    get("/version", on(versionReport)),
    get("/info", on(infoReport)),
    get("/events", on(events)),
    get("/system/df", on(diskUsage)),
    post("/system/prune", on(systemPrune)),
    post("/auth", on(login)),
    get("/distribution/:name*/json", on(inspectDistribution)),
    ...containerRoutes(on),
    ...imageRoutes(on),
    get("/volumes", on(volumes.listVolumes)),
    post("/volumes/create", on(volumes.createVolume)),
    post("/volumes/prune", on(volumes.pruneVolumes)),
    get("/volumes/:name", on(volumes.inspectVolume)),
    del("/volumes/:name", on(volumes.removeVolume)),
    get("/networks", on(networks.listNetworks)),
    post("/networks/create", on(networks.createNetwork)),
    post("/networks/prune", on(networks.pruneNetworks)),
    get("/networks/:id", on(networks.inspectNetwork)),
    del("/networks/:id", on(networks.removeNetwork)),
    post("/networks/:id/connect", on(networks.connectNetwork)),
    post("/networks/:id/disconnect", on(networks.disconnectNetwork)),
    ...notHereRoutes,
  ];
}

function containerRoutes(on: (handler: Handler) => Route["handle"]): readonly Route[] {
  return [
    get("/containers/json", on(listContainers)),
    post("/containers/create", on(createContainer)),
    post("/containers/prune", on(lifecycle.pruneContainers)),
    get("/containers/:id/json", on(inspectContainer)),
    get("/containers/:id/top", on(topContainer)),
    get("/containers/:id/changes", on(containerChanges)),
    get("/containers/:id/port", on(containerPorts)),
    get("/containers/:id/logs", on(containerLogs)),
    get("/containers/:id/stats", on(containerStats)),
    get("/containers/:id/export", on(exportContainer)),
    get(
      "/containers/:id/attach/ws",
      on(async (engine, call) => (await import("./container-attach-ws.ts")).attachWebSocket(engine, call)),
      {
        upgrades: ["websocket"],
      },
    ),
    get("/containers/:id/archive", on(getArchive)),
    head("/containers/:id/archive", on(headArchive)),
    put("/containers/:id/archive", on(putArchive)),
    post("/containers/:id/start", on(lifecycle.startContainer)),
    post("/containers/:id/stop", on(lifecycle.stopContainer)),
    post("/containers/:id/restart", on(lifecycle.restartContainer)),
    post("/containers/:id/kill", on(lifecycle.killContainer)),
    post("/containers/:id/pause", on(lifecycle.pauseContainer)),
    post("/containers/:id/unpause", on(lifecycle.unpauseContainer)),
    post("/containers/:id/wait", on(waitContainer)),
    post("/containers/:id/rename", on(lifecycle.renameContainer)),
    post("/containers/:id/update", on(lifecycle.updateContainer)),
    post("/containers/:id/resize", on(lifecycle.resizeContainer)),
    post("/containers/:id/attach", on(attachContainer), { upgrades: ["tcp"] }),
    post("/containers/:id/exec", on(createExec)),
    del("/containers/:id", on(lifecycle.removeContainer)),
    post("/exec/:id/start", on(startExec), { upgrades: ["tcp"] }),
    post("/exec/:id/resize", on(resizeExec)),
    get("/exec/:id/json", on(inspectExec)),
  ];
}

function imageRoutes(on: (handler: Handler) => Route["handle"]): readonly Route[] {
  return [
    get("/images/json", on(images.listImages)),
    get("/images/search", on(images.searchImages)),
    get(
      "/images/get",
      on((engine, call) =>
        images.saveImages(
          engine,
          call,
          call.query.getAll("names").flatMap((names) => names.split(",")),
        ),
      ),
    ),
    post("/images/create", on(createImage)),
    post("/images/load", on(loadImages)),
    post("/images/prune", on(images.pruneImages)),
    get("/images/:name*/json", on(images.inspectImage)),
    get("/images/:name*/history", on(images.imageHistory)),
    get(
      "/images/:name*/get",
      on((engine, call) => images.saveImages(engine, call, [call.param("name")])),
    ),
    post("/images/:name*/tag", on(images.tagImage)),
    post("/images/:name*/push", on(pushImage)),
    del("/images/:name*", on(images.removeImage)),
    post("/commit", on(commitContainer)),
  ];
}
