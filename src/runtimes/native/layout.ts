import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { nativeName, type ContainerId, containerIdToString } from "../../spec/container-id.ts";

/** Where things lie (DESIGN "On disk"). `root` is durable, `run` is gone after a reboot. */
export interface Layout {
  readonly root: string;
  readonly run: string;
  readonly database: string;
  readonly containers: string;
  readonly volumes: string;
  /** Archives of volumes on their way to the remote store. */
  readonly syncStaging: string;
  /** Accounts at registries, sealed, and the key they are sealed with. Made by the first login. */
  readonly credentials: string;
  /** conmon writes one file per ended container here. */
  readonly exits: string;
  readonly locks: string;
  readonly bundles: string;
  /** Its time stamp tells of appends to the journal. */
  readonly eventNotice: string;
  /** Files of the name server. */
  readonly names: string;
  /** State directory of the OCI runtime. */
  readonly oci: string;
}

export function layout(root: string, run: string): Layout {
  return {
    root,
    run,
    database: join(root, "state", "berth.db"),
    containers: join(root, "containers"),
    volumes: join(root, "volumes"),
    syncStaging: join(root, "sync"),
    credentials: join(root, "credentials"),
    exits: join(root, "exits"),
    locks: join(run, "locks"),
    bundles: join(run, "bundles"),
    eventNotice: join(run, "events"),
    names: join(run, "names"),
    oci: join(run, "oci"),
  };
}

export function makeLayout(paths: Layout): void {
  for (const path of [paths.root, paths.run, paths.containers, paths.volumes, paths.exits, paths.locks, paths.bundles, paths.oci]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
}

/** No id of a container ends like this. */
export const removedSuffix = ".removed";

/** Everything of one container. The bundle's name is short because a unix socket's path must be. */
export interface ContainerPaths {
  readonly key: string;
  /** OCI id, and what the names of its cgroups start with. */
  readonly ociId: string;
  readonly directory: string;
  /** What becomes of the directory while the container is being removed. */
  readonly removed: string;
  readonly upper: string;
  readonly work: string;
  readonly merged: string;
  readonly log: string;
  /** Mount point of the memory a `shareable` container offers to others. */
  readonly sharedMemory: string;
  readonly hosts: string;
  readonly hostnameFile: string;
  readonly resolvConf: string;
  readonly lock: string;
  readonly exitFile: string;
  readonly bundle: string;
  readonly attachSocket: string;
  readonly controlFifo: string;
  readonly pidFile: string;
  readonly monitorPidFile: string;
  readonly oomFile: string;
  /** Holds the place of the run's cgroup, written before that is made. */
  readonly cgroupFile: string;
  readonly supervisorLock: string;
}

export function containerPaths(paths: Layout, id: ContainerId, hexId: string): ContainerPaths {
  const ociId = nativeName(id);
  const directory = join(paths.containers, ociId);
  const bundle = join(paths.bundles, hexId.slice(0, 16));
  return {
    key: containerIdToString(id),
    ociId,
    directory,
    removed: `${directory}${removedSuffix}`,
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    merged: join(directory, "merged"),
    log: join(directory, "container.log"),
    sharedMemory: join(directory, "shm"),
    hosts: join(directory, "hosts"),
    hostnameFile: join(directory, "hostname"),
    resolvConf: join(directory, "resolv.conf"),
    lock: join(paths.locks, ociId),
    exitFile: join(paths.exits, ociId),
    bundle,
    attachSocket: join(bundle, "attach"),
    controlFifo: join(bundle, "ctl"),
    pidFile: join(bundle, "pid"),
    monitorPidFile: join(bundle, "monitor.pid"),
    oomFile: join(bundle, "oom"),
    cgroupFile: join(bundle, "cgroup"),
    supervisorLock: join(bundle, "supervisor"),
  };
}
