/** The contract as data: what a case is, what it needs, and what it is given. Run it with `run-contract.ts`. */
import type { RuntimeMethod } from "../runtime/capabilities.ts";
import type { NetworkCreateOptions } from "../runtime/extras.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { ServiceSpec } from "../spec/service-spec.ts";

/**
 * What a case may need beside methods:
 * - `kernel`: programs are real ones, so that any shell text runs and namespaces, limits and mounts can be seen from inside
 * - `reopen`: the state can be opened a second time while or after the first runtime is open
 * - `attach`: `extras.attachContainer`
 * - `exec-handles`: `extras.openExec` and `extras.resizeContainer`
 * - `events`: `extras.events`
 * - `push`: `extras.pushImage` and `extras.resolveImage`
 * - `restart-policy`: somebody acts on `restartPolicy`
 * - `health`: somebody acts on health checks
 * - `wait-status`: an own `exit(137)` can be told from a SIGKILL
 * - `oom`: exceeding the memory limit ends in an OOM kill that is noticed
 * - `delete-on-exit`: the runtime itself removes containers with `lifecycle.deleteOnExit`
 * - `private-registry`: `images.private` is there
 * - `networks`: `extras.networks`
 * - `ipv6`: containers get IPv6 addresses in networks that have it
 * - `name-resolution`: names of containers resolve on bridge networks
 * - `volumes`: `extras.volumes`
 * - `credentials`: `extras.credentials` and `extras.checkLogin`
 * - `disk-usage`: `extras.diskUsage`
 * - `host-network`: published ports and container addresses can be reached from this process
 */
export const traits = [
  "kernel",
  "reopen",
  "attach",
  "exec-handles",
  "events",
  "push",
  "restart-policy",
  "health",
  "wait-status",
  "oom",
  "delete-on-exit",
  "private-registry",
  "networks",
  "ipv6",
  "name-resolution",
  "volumes",
  "credentials",
  "disk-usage",
  "host-network",
] as const;

export type Trait = (typeof traits)[number];

export type Need = RuntimeMethod | Trait;

export interface ContractCase {
  /** Unique, a sentence about what a user notices. */
  readonly name: string;
  readonly needs: readonly Need[];
  run(t: ContractContext): Promise<void>;
}

/** References the backend can pull. */
export interface ContractImages {
  /** Variant `plain` of the demo image; in the local store already. */
  readonly demo: string;
  /** Variant `configured`; in the local store already. */
  readonly configured: string;
  /** Exists for a CPU that is not this one. */
  readonly otherPlatform: string;
  /** In a registry that answers, but not there. */
  readonly missing: string;
  readonly private?: { readonly reference: string; readonly username: string; readonly password: string } | undefined;
  /** A reference that was never pulled; its content is that of `demo`. */
  fresh(): Promise<string>;
  /** Moves a tag of {@link fresh} to new content. */
  republish(reference: string): Promise<void>;
  /** As {@link fresh}, on a registry that can be made to disappear. */
  losable(): Promise<{ readonly reference: string; lose(): Promise<void>; restore(): Promise<void> }>;
}

/** A container run to its end. */
export interface Finished {
  readonly id: ContainerId;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A spec without its image, which is the demo image unless said otherwise. `argv` is shorthand for `command.args`. */
export type CaseSpec = Omit<ServiceSpec, "image"> & {
  readonly image?: ServiceSpec["image"] | undefined;
  readonly argv?: readonly string[] | undefined;
};

/** What a case works with. Containers made through it are removed after the case, whatever happened. */
export interface ContractContext {
  readonly runtime: Runtime;
  readonly images: ContractImages;
  /** An id no other case has. */
  newId(): ContainerId;
  /** A spec with defaults that keep cases quick: no network, 1 s to stop. */
  spec(spec?: CaseSpec): ServiceSpec;
  create(spec?: CaseSpec, id?: ContainerId): Promise<ContainerId>;
  start(spec?: CaseSpec, id?: ContainerId): Promise<ContainerId>;
  /** Starts, waits for the end, reads the log. */
  finish(spec?: CaseSpec, id?: ContainerId): Promise<Finished>;
  /** Runs a shell text to exit code 0 and answers its stdout without the last newline. Needs `kernel`. */
  shell(script: string, spec?: CaseSpec): Promise<string>;
  /** A container whose program says that it is ready and then runs until it is stopped. */
  service(spec?: CaseSpec & { readonly onTerm?: number | "ignore" | undefined }, id?: ContainerId): Promise<ContainerId>;
  /** Waits until the log holds this text. */
  logged(id: ContainerId, text: string): Promise<void>;
  /** Text of one channel of the log. */
  text(id: ContainerId, channel?: "stdout" | "stderr"): Promise<string>;
  /** The same state in a second runtime; closed after the case. Needs `reopen`. */
  reopen(): Promise<Runtime>;
  /** Name of a new bridge network; removed after the case. Needs `networks`. */
  network(options?: Omit<NetworkCreateOptions, "name">): Promise<string>;
  /** An empty directory of this host; removed after the case. */
  hostDir(): string;
  /** A TCP and UDP port of this host that is free now. */
  freePort(): Promise<number>;
  /** Work to do after the case, last first. */
  defer(work: () => void | Promise<void>): void;
}
