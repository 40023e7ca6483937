import type { RuntimeMethod } from "../runtime/capabilities.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ContainerId } from "../spec/container-id.ts";

type Calls = Readonly<Record<RuntimeMethod, (runtime: Runtime, id: ContainerId, image: string) => Promise<unknown>>>;

const nothing = new Uint8Array();

/** Well-formed arguments for every method, about an existing container and image. */
const calls: Calls = {
  pullImage: (r, _id, image) => r.pullImage(image),
  pullImageWithPolicy: (r, _id, image) => r.pullImageWithPolicy(image, "if_not_present"),
  createContainer: (r, id, image) => r.createContainer({ ...id, replica: id.replica + 1 }, { image }),
  startContainer: (r, id) => r.startContainer(id),
  stopContainer: (r, id) => r.stopContainer(id, 0),
  removeContainer: (r, id) => r.removeContainer(id),
  containerState: (r, id) => r.containerState(id),
  containerLogs: (r, id) => r.containerLogs(id, 0),
  exec: (r, id) => r.exec(id, ["true"]),
  getContainerStats: (r, id) => r.getContainerStats(id),
  waitContainer: (r, id) => r.waitContainer(id),
  getLogs: (r, id) => r.getLogs(id),
  getContainerPid: (r, id) => r.getContainerPid(id),
  getContainerIp: (r, id) => r.getContainerIp(id),
  execStream: (r, id) => r.execStream(id, ["true"]),
  execPty: (r, id) => r.execPty(id, { command: ["true"] }),
  waitOutcome: (r, id) => r.waitOutcome(id),
  waitOutcomeWithCondition: (r, id) => r.waitOutcomeWithCondition(id, "not-running"),
  renameContainer: (r, id) => r.renameContainer(id, "another-name"),
  getContainerPortOverride: (r, id) => r.getContainerPortOverride(id),
  syncContainerVolumes: (r, id) => r.syncContainerVolumes(id),
  logsStream: (r, id) => r.logsStream(id, {}),
  statsStream: (r, id) => r.statsStream(id),
  pullImageStream: (r, _id, image) => r.pullImageStream(image),
  listImages: (r) => r.listImages(),
  removeImage: (r, _id, image) => r.removeImage(image, true),
  pruneImages: (r) => r.pruneImages({ all: true }),
  killContainer: (r, id) => r.killContainer(id),
  tagImage: (r, _id, image) => r.tagImage(image, "another.example/name:tag"),
  inspectImageNative: (r, _id, image) => r.inspectImageNative(image),
  imageHistory: (r, _id, image) => r.imageHistory(image),
  searchImages: (r) => r.searchImages("busybox", 1),
  saveImages: (r, _id, image) => r.saveImages([image]),
  loadImages: (r) => r.loadImages(nothing, true),
  importImage: (r) => r.importImage(nothing, "another.example/name", "tag"),
  exportContainerFs: (r, id) => r.exportContainerFs(id),
  commitContainer: (r, id) => r.commitContainer(id, { repo: "another.example/name", tag: "tag" }),
  inspectDetailed: (r, id) => r.inspectDetailed(id),
  pauseContainer: (r, id) => r.pauseContainer(id),
  unpauseContainer: (r, id) => r.unpauseContainer(id),
  updateContainerResources: (r, id) => r.updateContainerResources(id, { cpuShares: 512 }),
  topContainer: (r, id) => r.topContainer(id, []),
  changesContainer: (r, id) => r.changesContainer(id),
  portMappingsContainer: (r, id) => r.portMappingsContainer(id),
  pruneContainers: (r) => r.pruneContainers(),
  listContainers: (r) => r.listContainers(),
  archiveGet: (r, id) => r.archiveGet(id, "/etc"),
  archivePut: (r, id) => r.archivePut(id, "/tmp", nothing),
  archiveHead: (r, id) => r.archiveHead(id, "/etc"),
};

/** Calls a method by name. */
export function callWithAnything(runtime: Runtime, method: RuntimeMethod, id: ContainerId, image: string): Promise<unknown> {
  return calls[method](runtime, id, image);
}
