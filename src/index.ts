/** Public entry of Berth: everything else is internal. */
export { BerthError, DigestMismatchError, errorCodes, isBerthError, ProcessError, RegistryError, UnsupportedError } from "./errors.ts";
export type { ErrorCode, ErrorFields } from "./errors.ts";
export { type BackendChoice, type BackendName, type OpenedRuntime, type OpenOptions, openRuntime } from "./open-runtime.ts";
export { BaseRuntime } from "./runtime/base-runtime.ts";
export { type Capabilities, type Capability, type RuntimeMethod, runtimeMethods, type Support } from "./runtime/capabilities.ts";
export type {
  ExecFacet,
  FilesFacet,
  ImagesFacet,
  LifecycleFacet,
  LogsFacet,
  ObserveFacet,
  PullOptions,
  Runtime,
  WaitFacet,
} from "./runtime/runtime.ts";
export type * from "./runtime/extras.ts";
export type * from "./runtime/types.ts";
export { type ContainerId, containerId, containerIdLabel, containerIdToString, parseContainerId, standaloneId } from "./spec/container-id.ts";
export { type Digest, parseDigest } from "./spec/digest.ts";
export { parsePlatform, type TargetPlatform } from "./spec/platform.ts";
export { canonicalReference, familiarName, parseReference, type Reference } from "./spec/reference.ts";
export type * from "./spec/service-spec.ts";
export { version } from "./version.ts";
