/** GET /containers/json */
import type { ContainerSummary } from "../../docker-api/containers.ts";
import { decodeFilters, type Filters } from "../../docker-api/filters.ts";
import { isManaged, type ManagedContainer } from "../../engine/resolve.ts";
import { isBerthError } from "../../errors.ts";
import type { ContainerInspectDetails } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { boolParam, intParam } from "../query.ts";
import { containerFilter, type ListedContainer } from "./container-filters.ts";
import { mountPoints } from "./container-mounts.ts";
import { networksReport, portSummaries } from "./container-networks.ts";
import { exitCodeOf, statusText, statusWord } from "./container-state.ts";
import type { DockerEngine } from "./engine.ts";
import { networkModeText } from "./host-config-report.ts";
import { withIdLabel } from "./id-label.ts";
import { unixSeconds } from "./times.ts";

export async function listContainers(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  const limit = intParam(call.query, "limit") ?? -1;
  const all = boolParam(call.query, "all") || limit > 0;
  call.answer(200, await containerSummaries(engine, { filters, limit, all, withSize: boolParam(call.query, "size") }));
}

export interface ListOptions {
  readonly filters: Filters;
  /** ≤ 0 = no limit. */
  readonly limit: number;
  readonly all: boolean;
  readonly withSize: boolean;
}

export async function containerSummaries(engine: DockerEngine, o: ListOptions): Promise<readonly ContainerSummary[]> {
  const listed = await listDetailed(engine);
  listed.sort((a, b) => (b.summary.createdAt?.getTime() ?? 0) - (a.summary.createdAt?.getTime() ?? 0));
  const matches = await containerFilter(engine, listed, o);
  const chosen = listed.filter(matches);
  const limited = o.limit > 0 ? chosen.slice(0, o.limit) : chosen;
  const usage = o.withSize ? await engine.runtime.extras?.diskUsage?.() : undefined;
  const writable = new Map(usage?.containers.map(({ hexId, writableBytes }) => [hexId, writableBytes]));
  return limited.map((container) => ({ ...summaryReport(engine, container), ...sizes(o.withSize, writable.get(container.summary.hexId ?? "")) }));
}

/** At one look where the backend can do that, else by a further look at each container. */
async function listDetailed({ runtime, containers }: DockerEngine): Promise<ListedContainer[]> {
  const known = await runtime.extras?.listDetailed?.();
  if (known !== undefined) return known.flatMap(({ summary, details }) => (isManaged(summary) ? listedContainer(summary, details) : []));
  const managed = (await containers.list()).filter(isManaged);
  return (await Promise.all(managed.map((summary) => inspected(runtime, summary)))).filter((found) => found !== undefined);
}

function listedContainer(summary: ManagedContainer, details: ContainerInspectDetails): ListedContainer {
  return { summary: { ...summary, labels: withIdLabel(summary.labels, summary.containerId) }, details };
}

/** Gone between the two looks: it is not listed. */
async function inspected(runtime: DockerEngine["runtime"], summary: ManagedContainer): Promise<ListedContainer | undefined> {
  try {
    return listedContainer(summary, await runtime.inspectDetailed(summary.containerId));
  } catch (error) {
    if (isBerthError(error, "not_found")) return undefined;
    throw error;
  }
}

function sizes(withSize: boolean, writable: number | undefined): { SizeRw?: number; SizeRootFs?: number } {
  return withSize ? { SizeRw: writable ?? 0, SizeRootFs: writable ?? 0 } : {};
}

function summaryReport(engine: DockerEngine, { summary, details }: ListedContainer): ContainerSummary {
  const hexId = summary.hexId ?? "";
  const body = engine.requests.get(hexId);
  const facts = { ...summary, health: details.health };
  return {
    Id: hexId,
    Names: [`/${summary.name ?? ""}`],
    Image: body?.Image ?? details.image ?? summary.image ?? "",
    ImageID: details.imageId ?? "",
    Command: (summary.command ?? []).join(" "),
    Created: unixSeconds(summary.createdAt),
    Ports: ports(summary, details),
    Labels: summary.labels ?? {},
    State: statusWord(facts),
    Status: statusText(facts, exitCodeOf(summary.state, details.exitCode)),
    HostConfig: { NetworkMode: body?.HostConfig?.NetworkMode || networkModeText(details.spec?.networkMode) },
    NetworkSettings: { Networks: networksReport(details.networks, hexId) },
    Mounts: mountPoints(details.mounts ?? [], body),
  };
}

/** Ports that are only exposed are listed too, without a place on the host. */
function ports(summary: ManagedContainer, details: ContainerInspectDetails): ContainerSummary["Ports"] {
  if (summary.state?.state !== "running") return [];
  const published = summary.ports ?? [];
  const exposed = (details.spec?.expose ?? []).map((port) => {
    const [number = "", protocol = "tcp"] = port.split("/");
    return { containerPort: Number(number), protocol };
  });
  const only = exposed.filter((port) => !published.some((have) => have.containerPort === port.containerPort && have.protocol === port.protocol));
  return portSummaries([...published, ...only]);
}
