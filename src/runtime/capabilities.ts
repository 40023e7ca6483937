/** The 49 methods in the contract's numbering: index + 1 is the number. */
export const runtimeMethods = [
  "pullImage",
  "pullImageWithPolicy",
  "createContainer",
  "startContainer",
  "stopContainer",
  "removeContainer",
  "containerState",
  "containerLogs",
  "exec",
  "getContainerStats",
  "waitContainer",
  "getLogs",
  "getContainerPid",
  "getContainerIp",
  "execStream",
  "execPty",
  "waitOutcome",
  "waitOutcomeWithCondition",
  "renameContainer",
  "getContainerPortOverride",
  "syncContainerVolumes",
  "logsStream",
  "statsStream",
  "pullImageStream",
  "listImages",
  "removeImage",
  "pruneImages",
  "killContainer",
  "tagImage",
  "inspectImageNative",
  "imageHistory",
  "searchImages",
  "saveImages",
  "loadImages",
  "importImage",
  "exportContainerFs",
  "commitContainer",
  "inspectDetailed",
  "pauseContainer",
  "unpauseContainer",
  "updateContainerResources",
  "topContainer",
  "changesContainer",
  "portMappingsContainer",
  "pruneContainers",
  "listContainers",
  "archiveGet",
  "archivePut",
  "archiveHead",
] as const;

export type RuntimeMethod = (typeof runtimeMethods)[number];

/**
 * How a backend does a method (contract 3.2): `real`; `host` with work beside the engine's API; `synthesised` from other
 * calls or partial; `neutral` where doing nothing is the correct answer; `unsupported`.
 */
export type Support = "real" | "host" | "synthesised" | "neutral" | "unsupported";

export interface Capability {
  readonly support: Support;
  /** Why it is not simply real. */
  readonly reason?: string | undefined;
}

export type Capabilities = Readonly<Record<RuntimeMethod, Capability>>;

/** Everything real but for the methods named in `exceptions`. */
export function capabilitiesExcept(exceptions: Partial<Record<RuntimeMethod, Capability>>): Capabilities {
  const entries = runtimeMethods.map((method) => [method, exceptions[method] ?? { support: "real" }] as const);
  return Object.fromEntries(entries) as Capabilities;
}
