/** Composition root of `berth serve`: opens the backend, builds the routes, listens, and goes without touching a container. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ContainerLookup } from "../engine/container-lookup.ts";
import { BerthError, messageOf } from "../errors.ts";
import { ExecTable } from "../http/exec-table.ts";
import { dockerRoutes } from "../http/docker/routes.ts";
import { identityHeaders, pingHeaders } from "../http/docker/system.ts";
import type { DockerEngine } from "../http/docker/engine.ts";
import type { NativeEngine } from "../http/native/engine.ts";
import { createHttpServer, type HttpOptions, type HttpServer, type ListenerOptions } from "../http/server.ts";
import { Router } from "../http/router.ts";
import { FileLock } from "../internal/file-lock.ts";
import type { BackendName } from "../open-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { version } from "../version.ts";
import { type Address, certificateNames, listen, parseAddresses, socketGroup, tlsOptions } from "./listeners.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { requestLog } from "./request-log.ts";
import { systemdNotifier } from "./notify.ts";
import type { DaemonSettings } from "./options.ts";
import { reconcile } from "./reconcile.ts";
import { Records } from "./records.ts";
import { identifier, readTokens, type Tokens } from "./tokens.ts";
import { startVolumeSync } from "./volume-sync.ts";

export interface Daemon {
  readonly addresses: readonly Address[];
  /** Stops listening, lets answers finish, and leaves every container as it is. Idempotent. */
  close(): Promise<void>;
}

export interface DaemonOptions {
  readonly settings: DaemonSettings;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
}

export async function startDaemon(o: DaemonOptions): Promise<Daemon> {
  const { settings, log, env } = o;
  const startedAt = new Date();
  const addresses = parseAddresses(settings, env);
  const group = socketGroup(settings.group);
  const [tls, tokens] = [tlsOptions(settings), settings.tokenFile === undefined ? undefined : readTokens(settings.tokenFile)];
  await using undo = new AsyncDisposableStack();
  const root = settings.root ?? "/var/lib/berth";
  const directory = join(root, "daemon");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = lockRoot(directory);
  undo.defer(() => lock.release());
  const runtime = await openBackend(settings, log);
  undo.defer(() => runtime.close());
  undo.use(startVolumeSync({ volumes: runtime.extras?.volumes, env, log }));
  const records = await Records.open(join(directory, "daemon.db"));
  undo.defer(() => records.close());
  const info = await runtime.extras?.info?.();
  const containers = new ContainerLookup(runtime);
  const closing = new AbortController();
  const engine: DockerEngine = {
    runtime,
    containers,
    requests: records,
    execs: new ExecTable(),
    facts: { id: records.engineId(info?.facts["Engine ID"]), root, startedAt, isDebug: log.isDebug },
    closing: closing.signal,
  };
  const reconciled = await reconcile({ runtime, records, containers, log });
  const metrics = new Metrics(runtime);
  const tracer = settings.otlpEndpoint === undefined ? undefined : (await import("./traces.ts")).createTracer(settings.otlpEndpoint, log);
  undo.defer(() => tracer?.close());
  const requests = requestLog(log);
  let native: Promise<Router> | undefined;
  const options: HttpOptions = {
    docker: new Router(dockerRoutes(engine)),
    native: () => (native ??= loadNative({ ...engine, metrics: () => metrics.page() })),
    identityHeaders,
    pingHeaders,
    events: {
      answered: (facts) => {
        metrics.answered(facts);
        requests.answered(facts);
      },
    },
    around: tracer?.around,
  };
  const servers: HttpServer[] = [];
  undo.defer(() => closeAll(servers, 0));
  for (const address of addresses) {
    const http = createHttpServer(options, listenerOptions(address, { tls, tokens, hasClientCertificates: settings.tlsCaCert !== undefined }));
    await listen(http.server, address, group);
    servers.push(http);
  }
  const notify = await systemdNotifier(env, log);
  await notify("READY=1");
  log.info("ready", { version, backend: runtime.backend, host: settings.host.join(","), ms: Date.now() - startedAt.getTime(), ...reconciled });
  const held = undo.move();
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await notify("STOPPING=1");
    closing.abort();
    await closeAll(servers, settings.shutdownTimeout * 1000);
    await held.disposeAsync();
    log.info("stopped; containers go on");
  };
  return { addresses, close: () => (closed ??= close()) };
}

/** Schemas and what checks them are loaded when they are first needed: most daemons never are asked. */
async function loadNative(engine: NativeEngine): Promise<Router> {
  const { nativeRoutes } = await import("../http/native/routes.ts");
  return new Router(nativeRoutes(engine));
}

/** Two daemons on one store would answer for the same containers. The lock ends with its owner, however that ends. */
function lockRoot(directory: string): FileLock {
  const lock = FileLock.tryAcquire(join(directory, "daemon.lock"));
  if (lock === undefined) throw new BerthError("configuration", `another daemon uses ${directory}; stop it first or choose another root`);
  return lock;
}

async function openBackend(settings: DaemonSettings, log: Logger): Promise<Runtime> {
  const { openRuntime } = await import("../open-runtime.ts");
  return openRuntime({
    backend: (settings.backend ?? "auto") as BackendName | "auto",
    root: settings.root,
    runDir: settings.runDir,
    ociRuntime: settings.runtime,
    isBoot: true,
    onWarning: (text) => log.warn(text),
  });
}

interface Guard {
  readonly tls: ReturnType<typeof tlsOptions>;
  readonly tokens: Tokens | undefined;
  readonly hasClientCertificates: boolean;
}

function listenerOptions(address: Address, guard: Guard): ListenerOptions {
  if (address.kind === "unix" || (address.kind === "fd" && address.isUnix)) {
    return { isUnix: true, isOurName: () => false, identify: identifier(guard.tokens, { role: "admin", name: "socket" }) };
  }
  const certified = guard.hasClientCertificates ? ({ role: "admin", name: "client certificate" } as const) : undefined;
  const isCertified = certificateNames(guard.tls);
  const isOurName = (host: string): boolean => (address.kind === "tcp" && host === address.host) || isCertified(host);
  return { isUnix: false, isOurName, tls: guard.tls, identify: identifier(guard.tokens, certified) };
}

async function closeAll(servers: readonly HttpServer[], graceMs: number): Promise<void> {
  const closed = await Promise.allSettled(servers.map((http) => http.close(graceMs)));
  const failed = closed.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw new BerthError("internal", `a listener did not close: ${messageOf(failed.reason)}`, { cause: failed.reason });
}
