import { mergeEnvironment, resolveWorkdir } from "../../oci/process.ts";
import type { DetailedContainer } from "../../runtime/extras.ts";
import type { ContainerInspectDetails, PortMappingEntry, RuntimeContainerSummary } from "../../runtime/types.ts";
import { containerIdLabel } from "../../spec/container-id.ts";
import { describedSpec } from "../../spec/described-spec.ts";
import { mainAddress, type NetworkStanding, networkDetails, standingOf } from "./container-network.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { isPaused } from "./pause.ts";
import { isRunning, settle, stateOf } from "./run-state.ts";
import { healthOf } from "./supervised-run.ts";

const date = (ms: number | undefined): Date | undefined => (ms === undefined ? undefined : new Date(ms));

/** What of a container its record does not hold. */
interface Surroundings {
  readonly paused: boolean;
  readonly standing: NetworkStanding;
}

/** Every container by one look at each table, where {@link summaryOf} and {@link inspectRecord} would take several for each container. */
export function listDetailed(ctx: NativeContext): DetailedContainer[] {
  const { memberships, endpoints, ids } = ctx.network.survey();
  return ctx.store.list().map((before) => {
    const record = settle(ctx, before);
    const standing = {
      memberships: memberships.get(record.key) ?? [],
      endpoints: isRunning(record) ? (endpoints.get(record.key) ?? []) : [],
      idOf: (network: string) => ids.get(network),
    };
    const paused = isPaused(record);
    return { summary: summaryOf(ctx, record, paused), details: inspectRecord(ctx, record, { paused, standing }) };
  });
}

/** Method 38. */
export function inspectRecord(
  ctx: NativeContext,
  record: ContainerRecord,
  { paused, standing }: Surroundings = { paused: isPaused(record), standing: standingOf(ctx, record) },
): ContainerInspectDetails {
  const { facts, run } = record;
  const { spec } = facts;
  const image = ctx.images.configOf(record.imageId)?.config;
  return {
    ports: isRunning(record) && run.ports !== undefined ? run.ports : spec.portMappings,
    networks: networkDetails(ctx, record, standing),
    ipv4: mainAddress(standing),
    state: stateOf(ctx, record),
    exitCode: run.status === "exited" || run.status === "failed" ? run.exitCode : undefined,
    paused,
    createdAt: new Date(facts.createdAt),
    startedAt: date(run.startedAt),
    finishedAt: date(run.finishedAt),
    restartCount: run.restarts ?? 0,
    health: healthOf(run),
    oomKilled: run.oomKilled ?? false,
    error: run.error,
    pid: isRunning(record) ? run.pid : undefined,
    name: record.name,
    hexId: record.hexId,
    image: facts.imageReference,
    imageId: record.imageId,
    labels: spec.labels,
    mounts: facts.mounts,
    warnings: facts.warnings,
    command: facts.command,
    env: mergeEnvironment(image?.env ?? [], ownEnvironment(spec.env)),
    workingDir: resolveWorkdir(spec.command, image ?? {}),
    user: spec.user ?? image?.user,
    hostname: facts.hostname,
    tty: spec.tty,
    spec: describedSpec(spec),
  };
}

/** Values from the engine's environment or the secret store are named, never shown. */
function ownEnvironment(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env)
    .filter(([, value]) => !value.startsWith("$S:") && !value.startsWith("$E:"))
    .map(([name, value]) => `${name}=${value}`);
}

/** Method 46. */
export function summaryOf(ctx: NativeContext, record: ContainerRecord, paused = isPaused(record)): RuntimeContainerSummary {
  const { facts, run } = record;
  return {
    runtimeId: pathsOf(ctx, facts.id).ociId,
    containerIdLabel: facts.spec.labels[containerIdLabel] ?? record.hexId,
    containerId: facts.id,
    hexId: record.hexId,
    name: record.name,
    state: stateOf(ctx, record),
    health: isRunning(record) ? run.health?.status : undefined,
    paused,
    labels: facts.spec.labels,
    image: facts.imageReference,
    command: facts.command,
    ports: portsOf(record),
    createdAt: new Date(facts.createdAt),
    startedAt: date(run.startedAt),
    finishedAt: date(run.finishedAt),
  };
}

/** Method 44: bindings exist only while running. */
export function portsOf(record: ContainerRecord): PortMappingEntry[] {
  if (!isRunning(record)) return [];
  return (record.run.ports ?? [])
    .map(({ containerPort, protocol, hostIp, hostPort }) => ({ containerPort, protocol, hostIp, hostPort }))
    .sort((a, b) => a.containerPort - b.containerPort || compare(a.protocol, b.protocol) || compare(a.hostIp, b.hostIp));
}

/** IPv4 addresses come before IPv6 ones. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
