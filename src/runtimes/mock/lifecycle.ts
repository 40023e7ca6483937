/** Create, start, stop, kill, remove and what lies between (contract 2.2): the state machine every backend obeys. */
import { BerthError } from "../../errors.ts";
import { assertSignal } from "../../runtime/derive.ts";
import { completeSpec, resolveEnvironment } from "../../spec/complete-spec.ts";
import { type ContainerId, containerIdToString, hexId, initialName, shortId } from "../../spec/container-id.ts";
import type { CompleteSpec, ServiceSpec } from "../../spec/service-spec.ts";
import { parseSignal } from "../../spec/signals.ts";
import { AttachHub } from "./attach.ts";
import { Container, type Run } from "./container.ts";
import { FileTree } from "./file-tree.ts";
import { lowerFiles, mountMemory, mountsOf } from "./mounts.ts";
import type { StoredImage } from "./images.ts";
import { ContainerLog } from "./log.ts";
import { type ProcessExit, RunningProcess } from "./process.ts";
import { resolveArgv, resolveEnv } from "./process-setup.ts";
import { planOf, planRestart } from "./supervision.ts";
import { recordConnections } from "./network-calls.ts";
import type { World } from "./world.ts";

const defaultStopMs = 10_000;
const sigkill = 9;

/** Method 3. */
export function createContainer(world: World, id: ContainerId, input: ServiceSpec): void {
  const { spec, warnings } = completeSpec(input);
  const given = resolveEnvironment(spec.env, world.env, (name) => world.secrets.value(name));
  const image = world.images.get(spec.image.name);
  resolveArgv(image.config.config, spec.command);
  refuseUnknownContainers(world, spec);
  for (const member of spec.networks) world.networks.check(member);
  const key = containerIdToString(id);
  const name = initialName(id);
  if (world.containers.has(key)) throw new BerthError("conflict", `container ${key} exists already; remove it first`, { id: key });
  const holder = world.byName(name);
  if (holder !== undefined) throw new BerthError("conflict", `the name ${name} is in use by container ${holder.key}; choose another`);
  const log = new ContainerLog(world.clock, spec.logs.maxSizeBytes);
  const portOverride = portOverrideOf(world, id, spec);
  const env = portOverride === undefined ? given : { ...given, PORT: String(portOverride), BERTH_PORT: String(portOverride) };
  const setup = { id, hexId: hexId(world.uuid, id), name, spec, env, warnings, image, createdAt: world.clock.now(), log, hub: new AttachHub(), portOverride };
  const container = new Container(setup);
  for (const [path, bytes] of lowerFiles(container)) container.files.set(path, bytes);
  for (const member of spec.networks) world.networks.join(key, member);
  for (const target of anonymousTargets(spec, image)) container.volumes.set(target, world.volumes.take(undefined, setup.hexId));
  for (const entry of spec.storage) if (entry.type === "named") world.volumes.take(entry.name, setup.hexId);
  world.containers.set(key, container);
  world.journal.recordContainer(container, "create");
}

/** Replicas on the host's network each have a port of their own (method 20). */
function portOverrideOf(world: World, id: ContainerId, spec: CompleteSpec): number | undefined {
  if (spec.networkMode.mode !== "host" || id.service.startsWith("standalone-")) return undefined;
  const taken = new Set([...world.containers.values()].map(({ setup }) => setup.portOverride));
  let port = 32_768;
  while (taken.has(port)) port += 1;
  return port;
}

function refuseUnknownContainers(world: World, spec: CompleteSpec): void {
  if (spec.networkMode.mode !== "container") return;
  if (world.byReference(spec.networkMode.id) !== undefined) return;
  throw new BerthError("not_found", `no such container: ${spec.networkMode.id}, whose network was asked for`, { container: spec.networkMode.id });
}

/** Anonymous volumes of the spec, and the image's VOLUMEs nothing else is mounted at. */
function anonymousTargets(spec: CompleteSpec, image: StoredImage): readonly string[] {
  const taken = new Set(spec.storage.map((entry) => entry.target));
  const own = spec.storage.filter((entry) => entry.type === "anonymous").map((entry) => entry.target);
  return [...own, ...image.config.config.volumes.filter((target) => !taken.has(target))];
}

/** Method 4. */
export function startContainer(world: World, container: Container, restarts = 0): void {
  if (container.paused) throw new BerthError("conflict", `container ${container.key} is paused; unpause it first`);
  container.refuseRemoving();
  if (container.isRunning) return;
  const argv = resolveArgv(container.setup.image.config.config, container.spec.command);
  try {
    const program = world.mainProgram(argv);
    if (typeof program !== "function") throw startFailure(program.message, program.exitCode);
    const run = beginRun(world, container, argv);
    container.run = run;
    container.status = "running";
    container.exit = undefined;
    container.failure = undefined;
    container.startedAt = world.clock.now();
    container.starts += 1;
    forgetPolicy(container, restarts);
    container.health = planOf(container) === undefined ? undefined : { status: "starting", failingStreak: 0 };
    recordConnections(world, container, "connect");
    world.journal.recordVolumes(container, "mount");
    world.journal.recordContainer(container, "start");
    container.setup.hub.begin(run.process);
    if (!container.spec.stdinOpen) run.process.stdin.end();
    run.process.start(program);
  } catch (thrown) {
    recordFailedStart(world, container, thrown, restarts);
  }
}

/** A start of the user begins anew; one of the policy counts and remembers its delay. */
function forgetPolicy(container: Container, restarts: number): void {
  container.stoppedByUser = false;
  container.restarts = restarts;
  container.restartAt = undefined;
  if (restarts === 0) container.restartDelayMs = undefined;
}

/** Suspends the restart policy, also between an exit and the start it would bring. */
function markStopped(container: Container): void {
  container.stoppedByUser = true;
  if (container.restartAt === undefined) return;
  container.restartAt = undefined;
  container.setup.log.wake();
  container.wake("rest");
}

function startFailure(reason: string, exitCode: number): BerthError {
  return new BerthError("start_failed", reason, { reason, exitCode });
}

function recordFailedStart(world: World, container: Container, thrown: unknown, restarts: number): never {
  const error = thrown instanceof BerthError ? thrown : startFailure(String(thrown), 128);
  const code = error.fields.exitCode ?? 128;
  container.status = "failed";
  container.failure = error.fields.reason ?? error.message;
  container.exit = { code, signal: null, error: container.failure, finishedAt: world.clock.now() };
  forgetPolicy(container, restarts);
  if (restarts > 0) planRestart(world, container, 0);
  if (container.isAtRest) container.wake("rest");
  const message = `cannot start ${container.key}: ${container.failure}`;
  throw new BerthError("start_failed", message, { id: container.key, reason: container.failure, exitCode: code, cause: error });
}

function beginRun(world: World, container: Container, argv: readonly string[]): Run {
  mountMemory(container);
  const { spec } = container;
  world.networks.leaseAll(container.key);
  const ports = takePorts(world, container);
  const process = new RunningProcess({
    argv,
    ...surroundings(container, world),
    tty: spec.tty,
    clock: world.clock,
    isInit: !spec.initContainer && spec.pidMode === undefined,
    write: (channel, bytes) => {
      container.setup.log.append(channel, bytes);
      container.setup.hub.deliver(channel, bytes);
    },
  });
  const run: Omit<Run, "recorded"> = { process, pid: world.nextPid(), startedMonotonicMs: world.clock.monotonicMs(), execs: new Set(), ports };
  const recorded = process.exited.then((exit) => finishRun(world, container, exit));
  return { ...run, recorded };
}

/** What every process of a container has: environment, directory, user, files. */
export function surroundings(
  container: Container,
  world: World,
): { env: Readonly<Record<string, string>>; cwd: string; user: string | undefined; hostname: string; files: FileTree } {
  const { spec, setup } = container;
  const config = setup.image.config.config;
  const hostname = spec.hostname ?? shortId(setup.hexId);
  const cwd = spec.command.workdir ?? config.workingDir ?? "/";
  const files = new FileTree({ root: container.files, readonlyRoot: spec.readOnlyRootFs, mounts: mountsOf(world, container), cwd });
  return { env: resolveEnv({ image: config.env, spec: setup.env, hostname, tty: spec.tty }), cwd, user: spec.user ?? config.user, hostname, files };
}

/** The address seen from outside: its own, another container's, or the host's. */
export function addressOf(world: World, { key, spec, isRunning }: Container): string | undefined {
  const mode = spec.networkMode;
  if (!isRunning) return undefined;
  if (mode.mode === "host") return "127.0.0.1";
  if (mode.mode !== "container") return world.networks.mainAddress(key);
  const other = world.byReference(mode.id);
  return other && addressOf(world, other);
}

function takePorts(world: World, { key, spec }: Container): Run["ports"] {
  try {
    return world.ports.takePorts(spec.portMappings, { hasIpv6: world.networks.endpoints(key).some(({ ipv6 }) => ipv6 !== undefined) });
  } catch (error) {
    world.networks.release(key);
    throw error;
  }
}

/** Records the exit before anybody who waits hears of it. */
function finishRun(world: World, container: Container, exit: ProcessExit): void {
  const { run } = container;
  if (run === undefined) return;
  for (const exec of run.execs) exec.end({ code: 137, signal: sigkill });
  recordConnections(world, container, "disconnect");
  world.networks.release(container.key);
  world.ports.release(run.ports);
  container.exit = { ...exit, finishedAt: world.clock.now() };
  container.run = undefined;
  container.memory.clear();
  container.paused = false;
  if (container.status === "running") container.status = "exited";
  planRestart(world, container, world.clock.monotonicMs() - run.startedMonotonicMs);
  world.journal.recordExit(container);
  container.setup.log.flush();
  container.setup.hub.end();
  container.wake("exit");
  if (container.spec.deleteOnExit) void world.locks.run(container.key, async () => forget(world, container));
}

/** Method 5. Does not hold the container's lock while it waits, so that a kill or a shorter stop can end it. */
export async function stopContainer(world: World, container: Container, timeoutMs?: number, stopSignal?: string): Promise<void> {
  const limitMs = timeoutMs ?? container.spec.stopGracePeriodMs ?? defaultStopMs;
  if (Number.isNaN(limitMs)) throw new BerthError("invalid_spec", "timeoutMs is not a number");
  const signal = parseSignal(stopSignal ?? stopSignalOf(container), { any: true });
  const { run } = container;
  if (run === undefined) {
    if (container.restartAt === undefined) return;
    markStopped(container);
    world.journal.recordContainer(container, "stop");
    return;
  }
  container.stoppedByUser = true;
  const send = (number: number): void => {
    world.journal.recordContainer(container, "kill", { signal: String(number) });
    run.process.signal(number);
  };
  send(signal);
  if (container.paused) thaw(container);
  if (limitMs === 0) send(sigkill);
  const forever = limitMs < 0 || limitMs === Number.POSITIVE_INFINITY;
  using _timer = forever ? { [Symbol.dispose]: () => {} } : world.clock.after(limitMs, () => send(sigkill));
  await run.recorded;
  world.journal.recordContainer(container, "stop");
}

function stopSignalOf(container: Container): string {
  return container.spec.stopSignal ?? container.setup.image.config.config.stopSignal ?? "SIGTERM";
}

/** Method 28. */
export async function killContainer(world: World, container: Container, signalText: string, anySignal: boolean | undefined): Promise<void> {
  const { number } = assertSignal(signalText, { anySignal });
  const run = container.mustRun("kill");
  const isStop = number === parseSignal(stopSignalOf(container), { any: true });
  if (isStop || number === sigkill) container.stoppedByUser = true;
  world.journal.recordContainer(container, "kill", { signal: String(number) });
  run.process.signal(number);
  if (container.paused && (isStop || number === sigkill)) thaw(container);
  if (number === sigkill) await run.recorded;
}

/** Method 6. */
export async function removeContainer(world: World, container: Container, keepAnonymousVolumes = false): Promise<void> {
  container.status = "removing";
  container.restartAt = undefined;
  const { run } = container;
  if (run !== undefined) world.journal.recordContainer(container, "kill", { signal: String(sigkill) });
  run?.process.signal(sigkill);
  await run?.recorded;
  forget(world, container, keepAnonymousVolumes);
}

function forget(world: World, container: Container, keepAnonymousVolumes = false): void {
  if (world.containers.get(container.key) !== container || container.isRunning) return;
  world.containers.delete(container.key);
  world.volumes.release(container.setup.hexId, keepAnonymousVolumes);
  world.networks.leaveAll(container.key);
  world.images.release(container.setup.image.id);
  world.journal.recordContainer(container, "destroy");
  container.setup.log.wake();
  container.wake("removed");
}

/** Method 39. */
export function pauseContainer(world: World, container: Container): void {
  const run = container.mustRun("pause");
  if (container.paused) throw new BerthError("conflict", `container ${container.key} is paused already`);
  container.paused = true;
  run.process.freeze();
  for (const exec of run.execs) exec.freeze();
  world.journal.recordContainer(container, "pause");
}

/** Method 40. */
export function unpauseContainer(world: World, container: Container): void {
  if (!container.paused) throw new BerthError("conflict", `container ${container.key} is not paused`);
  thaw(container);
  world.journal.recordContainer(container, "unpause");
}

function thaw(container: Container): void {
  container.paused = false;
  container.run?.process.thaw();
  for (const exec of container.run?.execs ?? []) exec.thaw();
}

/** Method 19. */
export function renameContainer(world: World, container: Container, newName: string): void {
  const name = newName.trim().replace(/^\//, "");
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) || name === container.name) {
    throw new BerthError(
      "invalid_spec",
      `${JSON.stringify(newName)} cannot be its new name: at least two letters, digits, dots, hyphens or underscores, other than now`,
    );
  }
  container.refuseRemoving();
  const holder = world.byName(name);
  if (holder !== undefined) throw new BerthError("conflict", `the name ${name} is in use by container ${holder.key}; choose another`);
  const oldName = container.name;
  container.name = name;
  world.journal.recordContainer(container, "rename", { oldName: `/${oldName}` });
}
