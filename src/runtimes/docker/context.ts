import type { EngineClient } from "../../docker-api/engine-client.ts";
import type { KeyedLock } from "../../internal/keyed-lock.ts";
import type { CredentialSource } from "../../registry/credentials.ts";
import type { EngineIds } from "./engine-ids.ts";
import type { WaitRegistrations } from "./wait-registrations.ts";

/** What is known about the engine from its `info`. */
export interface EngineFacts {
  readonly name: string;
  readonly serverVersion: string;
  readonly apiVersion: string;
  /** It is Podman, whose answers are Docker's in form and not always in content. */
  readonly isPodman: boolean;
  readonly memoryBytes: number;
  readonly cgroupVersion: string;
  readonly cgroupDriver: string;
  readonly storageDriver: string;
  readonly rootDir: string;
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly cpus: number;
  /** Its processes are processes of this host, so that they can be signalled from here. */
  readonly sharesProcesses: boolean;
  readonly warnings: readonly string[];
}

export interface DockerContext {
  readonly client: EngineClient;
  readonly facts: EngineFacts;
  readonly ids: EngineIds;
  /** Creates of one id, and prunes of images, one after the other. */
  readonly locks: KeyedLock;
  readonly waits: WaitRegistrations;
  /** Port overrides this process gave out. */
  readonly givenPorts: Set<number>;
  readonly credentials: CredentialSource;
  readonly onWarning: (text: string) => void;
}
