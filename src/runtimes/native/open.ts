/** Opens the native backend on a state directory. Any number of processes may have the same one open. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CredentialStore } from "../../credentials/credential-store.ts";
import { storedAccounts } from "../../credentials/lookup.ts";
import { SecretStore } from "../../credentials/secret-store.ts";
import { BerthError } from "../../errors.ts";
import { imagesSchema } from "../../images/image-records.ts";
import { openImageStore } from "../../images/image-store.ts";
import { KeyedLock } from "../../internal/keyed-lock.ts";
import { networkSchema } from "../../network/records.ts";
import { openNetworkStack } from "../../network/stack.ts";
import { hostFacts } from "../../oci/host-facts.ts";
import { findOciRuntime, findProgram } from "../../oci/probe.ts";
import { createRegistryClient } from "../../registry/client.ts";
import { dockerConfigCredentials } from "../../registry/credentials.ts";
import { registryConfigFromEnvironment } from "../../registry/config.ts";
import type { RuntimeInfo } from "../../runtime/extras.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { type Database, openDatabase } from "../../state/database.ts";
import { Journal, journalSchema } from "../../state/journal.ts";
import { version } from "../../version.ts";
import { volumeSyncSchema } from "../../volume-sync/records.ts";
import { syncSettings } from "../../volume-sync/settings.ts";
import { VolumeSync } from "../../volume-sync/volume-sync.ts";
import { volumesSchema } from "../../volumes/records.ts";
import { VolumeStore } from "../../volumes/volume-store.ts";
import { cgroupVersion } from "./cgroup.ts";
import { ContainerStore, containersSchema } from "./container-store.ts";
import { checkLoginCall, credentialsFacet, secretsFacet } from "./credential-calls.ts";
import { type NativeContext, pathsOf, serialised } from "./context.ts";
import { EventLog } from "./events.ts";
import { ExitNotices } from "./exit-notices.ts";
import { FilesPool } from "./files/files-pool.ts";
import { imageEvent } from "./image-events.ts";
import { handOver } from "./hand-over.ts";
import { layout, makeLayout } from "./layout.ts";
import { StatsSampler } from "./stats-sampler.ts";
import { NativeRuntime } from "./native-runtime.ts";
import { recover } from "./recover.ts";
import { containerNames } from "./network-names.ts";
import { removeContainer } from "./remove.ts";
import { isRunning, settle } from "./run-state.ts";
import { tearDownRun } from "./tear-down.ts";
import { mayRun } from "./volume-calls.ts";

export interface NativeOptions {
  /** State that outlives a reboot. Default `/var/lib/berth`. */
  readonly root?: string | undefined;
  /** State that does not. Default `/run/berth`; with another root a directory of its own below it. */
  readonly runDir?: string | undefined;
  /** `crun`, `runc` or the path of any OCI runtime. Default: crun if it works on this host, else runc. */
  readonly ociRuntime?: string | undefined;
  /** Hears what is worth knowing but stops nothing. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Watches over the containers for as long as the runtime is open. */
  readonly supervise?: ((runtime: NativeRuntime) => NativeSupervisor) | undefined;
  /** Program and first arguments of the process that does so when no engine is alive; root, run directory and OCI runtime follow. */
  readonly keeper?: readonly string[] | undefined;
  /** Set by the process that conmon runs after an exit. */
  readonly isExitHandler?: boolean | undefined;
}

export interface NativeSupervisor {
  readonly isLeading: boolean;
  close(): Promise<void>;
}

export const defaultRoot = "/var/lib/berth";
const defaultRunDir = "/run/berth";

const engineSchema = "create table if not exists engine (key text primary key, value text not null) strict;";

/** Throws `configuration` when the host lacks what it takes; the message names the remedy. */
export async function openNativeRuntime(o: NativeOptions = {}): Promise<NativeRuntime> {
  if (process.platform !== "linux") throw new BerthError("configuration", `the native backend needs linux, this is ${process.platform}`);
  if (process.getuid?.() !== 0) throw new BerthError("configuration", "the native backend needs root; run it with sudo");
  const root = o.root ?? defaultRoot;
  const paths = layout(root, o.runDir ?? (root === defaultRoot ? defaultRunDir : join(root, "run")));
  makeLayout(paths);
  const conmon = findProgram("conmon");
  if (conmon === undefined) throw new BerthError("configuration", "conmon is not installed; install it (Debian: apt install conmon)");
  const found = await findOciRuntime({ preferred: o.ociRuntime, cacheFile: join(paths.run, "oci-runtime.json"), root: paths.oci });
  const db = await openDatabase(paths.database, [engineSchema, imagesSchema, networkSchema, volumesSchema, volumeSyncSchema, containersSchema, journalSchema]);
  const uuid = engineUuid(db);
  const closed = new AbortController();
  const credentials = new CredentialStore(paths.credentials, process.env);
  const secrets = new SecretStore(paths.credentials, process.env);
  const registry = createRegistryClient({
    ...registryConfigFromEnvironment(process.env),
    credentials: storedAccounts(credentials, dockerConfigCredentials(process.env), process.env),
  });
  const settings = syncSettings(process.env);
  const store = new ContainerStore(db);
  const images = openImageStore({
    root,
    db,
    registry,
    onWarning: o.onWarning,
    usersOf: (imageId) => store.namesByImage(imageId),
    onEvent: (event) => ctx.journal.record(imageEvent(event)),
  });
  const ctx: NativeContext = {
    uuid,
    layout: paths,
    paths: new Map(),
    store,
    journal: new EventLog(new Journal({ db, dbPath: paths.database, noticeFile: paths.eventNotice }), uuid),
    images,
    secrets,
    network: openNetworkStack({
      db,
      uuid,
      defaultRoot: root === defaultRoot,
      names: { directory: paths.names, describe: (key) => containerNames(store, key), onWarning: (text) => ctx.onWarning(text) },
    }),
    sync: settings === undefined ? undefined : new VolumeSync({ settings, db, staging: paths.syncStaging, locks: paths.locks }),
    volumes: new VolumeStore({
      root: paths.volumes,
      locks: paths.locks,
      db,
      isActive: (key) => mayRun(ctx, key),
      onEvent: ({ action, name }) => ctx.journal.record({ type: "volume", action, actor: { id: name, attributes: { driver: "local" } } }),
    }),
    files: new FilesPool(),
    exits: new ExitNotices(paths.exits, (ociId) => void afterExit(ctx, ociId)),
    sampler: new StatsSampler(),
    locks: new KeyedLock(),
    oci: found.runtime,
    conmon,
    host: hostFacts(),
    processes: new Map(),
    stopping: new Set(),
    removing: new Set(),
    tearDowns: new Map(),
    pendingAttaches: new Map(),
    supervised: new Map(),
    isExitHandler: o.isExitHandler === true,
    closed: closed.signal,
    onWarning: o.onWarning ?? (() => {}),
    exitHandler: exitHandler(paths.root, paths.run, found.runtime.path),
    keeper: o.keeper === undefined ? [] : [...o.keeper, paths.root, paths.run, found.runtime.path],
  };
  if (!ctx.isExitHandler) await Promise.all([recover(ctx), images.recovered]);
  let release: Promise<void> | undefined;
  let supervisor: NativeSupervisor | undefined;
  const runtime = new NativeRuntime(ctx, {
    info: () => info(ctx, found.reasons),
    accounts: { credentials: credentialsFacet(credentials, registry), secrets: secretsFacet(secrets), checkLogin: checkLoginCall(registry) },
    release: () => {
      release ??= closeAll(ctx, closed, supervisor, () => {
        registry.close();
        void ctx.sync?.close();
        ctx.journal[Symbol.dispose]();
        db.close();
      });
      return release;
    },
  });
  supervisor = o.supervise?.(runtime);
  return runtime;
}

/** conmon wrote an exit: record it, free what the run held, and remove the container if its spec says so. */
async function afterExit(ctx: NativeContext, ociId: string): Promise<void> {
  const id = parseContainerId(ociId.replace(/^berth-/, ""));
  if (id === undefined || ctx.closed.aborted || ctx.isExitHandler) return;
  const before = ctx.store.get(pathsOf(ctx, id).key);
  if (before === undefined) return;
  const record = settle(ctx, before);
  // A notice that is no exit, or whose exit was dealt with.
  if (isRunning(record) || !existsSync(pathsOf(ctx, id).bundle)) return;
  try {
    // Behind the lock: a program may end before its start is through, and a start may have begun since its end.
    const hasEnded = await serialised(ctx, id, async () => {
      const found = ctx.store.get(record.key);
      const now = found && settle(ctx, found);
      if (now === undefined || isRunning(now)) return false;
      if (!now.facts.spec.deleteOnExit) await tearDownRun(ctx, now);
      return now.run.status === "exited";
    });
    if (hasEnded && record.facts.spec.deleteOnExit) await removeContainer(ctx, id, false);
  } catch (error) {
    if (!(error instanceof BerthError && (error.code === "not_found" || error.code === "conflict"))) {
      ctx.onWarning(`after the exit of ${record.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  } finally {
    // Who looked when the notice came may have found a start that was not through yet.
    ctx.exits.wake(ociId);
  }
}

async function closeAll(ctx: NativeContext, closed: AbortController, supervisor: NativeSupervisor | undefined, release: () => void): Promise<void> {
  const led = supervisor?.isLeading === true;
  await supervisor?.close();
  closed.abort();
  await ctx.files.close();
  await ctx.locks.idle();
  ctx.exits.close();
  ctx.sampler[Symbol.dispose]();
  if (!ctx.isExitHandler) handOver(ctx, led);
  for (const lock of ctx.supervised.values()) lock.release();
  for (const process of ctx.processes.values()) process.close();
  ctx.processes.clear();
  await ctx.images.close();
  // A bridge costs 35 ms to make: the usual state directory keeps its own for the next process, any other leaves nothing.
  if (ctx.layout.root !== defaultRoot) ctx.network.removeIdle();
  release();
}

/** Kept with the state: hex ids are derived from it. */
function engineUuid(db: Database): string {
  db.prepare("insert or ignore into engine (key, value) values ('uuid', ?)").run(randomUUID());
  return String(db.prepare("select value from engine where key = 'uuid'").get()?.value);
}

function exitHandler(root: string, run: string, oci: string): readonly string[] {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const script = new URL(`./exit-handler.${extension}`, import.meta.url).pathname;
  return [process.execPath, script, root, run, oci];
}

function info(ctx: NativeContext, reasons: readonly string[]): RuntimeInfo {
  return {
    backend: "native",
    version,
    facts: {
      "OCI Runtime": `${ctx.oci.name} (${ctx.oci.path})`,
      "OCI Runtime Choice": reasons.join("; "),
      Monitor: ctx.conmon,
      "Cgroup Version": String(cgroupVersion()),
      "Storage Driver": "overlayfs",
      "Root Dir": ctx.layout.root,
      "Run Dir": ctx.layout.run,
      Containers: String(ctx.store.list().length),
      Images: String(ctx.images.list().length),
      "Engine ID": ctx.uuid,
    },
    warnings: [],
  };
}
