import type { DockerEngine } from "../docker/engine.ts";

/** The native routes stand on the same engine as the Docker routes. */
export interface NativeEngine extends DockerEngine {
  /** Text of `/metrics`. */
  readonly metrics: () => Promise<string>;
}
