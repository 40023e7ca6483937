/** Filters of `docker ps`. Values of one key are alternatives, keys must all hold; labels must all hold. */
import { assertFilterKeys, type Filters } from "../../docker-api/filters.ts";
import type { ManagedContainer } from "../../engine/resolve.ts";
import { isBerthError } from "../../errors.ts";
import type { ContainerInspectDetails } from "../../runtime/types.ts";
import { canonicalReference, parseReference } from "../../spec/reference.ts";
import { HttpError } from "../status.ts";
import { exitCodeOf, statusWord } from "./container-state.ts";
import type { DockerEngine } from "./engine.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";

export interface ListedContainer {
  readonly summary: ManagedContainer;
  readonly details: ContainerInspectDetails;
}

const known = ["ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network", "publish", "since", "status", "volume"];
const statuses = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const healths = ["none", "starting", "healthy", "unhealthy"];

/** `listed` is newest first. Throws 400 for an unknown key or value. */
export async function containerFilter(
  engine: DockerEngine,
  listed: readonly ListedContainer[],
  o: { readonly filters: Filters; readonly all: boolean },
): Promise<(container: ListedContainer) => boolean> {
  const { filters } = o;
  assertFilterKeys(filters, known);
  checkValues(filters);
  const wantsStopped = o.all || filters["status"] !== undefined || filters["exited"] !== undefined;
  const ancestors = await imageIdsOf(engine, filters["ancestor"] ?? []);
  const before = bound(listed, filters["before"]);
  const since = bound(listed, filters["since"]);
  const tests: readonly ((container: ListedContainer) => boolean)[] = [
    (c) => wantsStopped || ["running", "paused", "restarting"].includes(word(c)),
    any(filters["id"], (c, value) => c.summary.hexId?.startsWith(value) === true),
    any(filters["name"], (c, value) => nameMatches(c.summary.name ?? "", value)),
    any(filters["status"], (c, value) => word(c) === value),
    any(filters["exited"], (c, value) => word(c) === "exited" && exitCodeOf(c.summary.state, c.details.exitCode) === Number(value)),
    any(filters["health"], (c, value) => (c.details.health?.status ?? "none") === value),
    any(filters["ancestor"], (c, value) => c.details.imageId === ancestors.get(value)),
    any(filters["network"], (c, value) => c.details.networks.some(({ network, networkId }) => network === value || networkId?.startsWith(value) === true)),
    any(filters["volume"], (c, value) => (c.details.mounts ?? []).some(({ name, source, target }) => [name, source, target].includes(value))),
    any(filters["publish"], (c, value) => portMatches(c.details.ports, value)),
    any(filters["expose"], (c, value) => exposeMatches(c.details, value)),
    any(filters["is-task"], (_, value) => value === "false" || value === "0"),
    (c) => matchesLabels(c.summary.labels ?? {}, filters["label"] ?? []),
    (c) => before === undefined || created(c) < before,
    (c) => since === undefined || created(c) > since,
  ];
  return (container) => tests.every((test) => test(container));
}

function any(values: readonly string[] | undefined, test: (container: ListedContainer, value: string) => boolean): (container: ListedContainer) => boolean {
  return (container) => values === undefined || values.length === 0 || values.some((value) => test(container, value));
}

function checkValues(filters: Filters): void {
  const bad = (key: string, value: string): HttpError => new HttpError(400, `invalid filter '${key}=${value}'`);
  for (const value of filters["status"] ?? []) if (!statuses.includes(value)) throw bad("status", value);
  for (const value of filters["health"] ?? []) if (!healths.includes(value)) throw bad("health", value);
  for (const value of filters["exited"] ?? []) if (!/^-?\d{1,9}$/.test(value)) throw bad("exited", value);
  for (const value of filters["is-task"] ?? []) if (!/^(true|false|0|1)$/.test(value)) throw bad("is-task", value);
}

function word({ summary }: ListedContainer): string {
  return statusWord(summary);
}

function created({ summary }: ListedContainer): number {
  return summary.createdAt?.getTime() ?? 0;
}

/** A part of the name or a regular expression, with or without the leading slash. */
function nameMatches(name: string, value: string): boolean {
  if (name === value.replace(/^\//, "")) return true;
  const expression = nameExpression(value);
  return expression.test(name) || expression.test(`/${name}`);
}

/** Expressions that could take for ever are refused: a repeated group, or more than a few repetitions. */
function nameExpression(value: string): RegExp {
  const repetitions = value.match(/[*+{]/g)?.length ?? 0;
  if (value.length > 300 || repetitions > 3 || /\)[*+?{]|\\\d/.test(value)) {
    throw new HttpError(400, `invalid filter 'name=${value.slice(0, 80)}': the expression is too complex`);
  }
  try {
    return new RegExp(value);
  } catch (cause) {
    throw new HttpError(400, `invalid filter 'name=${value.slice(0, 80)}': not a regular expression`, { cause });
  }
}

function bound(listed: readonly ListedContainer[], refs: readonly string[] | undefined): number | undefined {
  const [ref] = refs ?? [];
  if (ref === undefined) return undefined;
  const found = listed.find(({ summary }) => summary.name === ref.replace(/^\//, "") || summary.hexId?.startsWith(ref) === true);
  if (found === undefined) throw new HttpError(404, `No such container: ${ref}`);
  return created(found);
}

async function imageIdsOf(engine: DockerEngine, names: readonly string[]): Promise<ReadonlyMap<string, string | undefined>> {
  const ids = new Map<string, string | undefined>();
  for (const name of names) {
    try {
      ids.set(name, (await engine.runtime.inspectImageNative(name)).id ?? canonicalReference(parseReference(name)));
    } catch (error) {
      if (!isBerthError(error)) throw error;
      ids.set(name, `no image ${name}`);
    }
  }
  return ids;
}

function portMatches(ports: ContainerInspectDetails["ports"], value: string): boolean {
  const [range = "", protocol = "tcp"] = value.split("/");
  const [first = "", last = first] = range.split("-");
  return ports.some((port) => port.protocol === protocol && (port.hostPort ?? 0) >= Number(first) && (port.hostPort ?? 0) <= Number(last));
}

function exposeMatches(details: ContainerInspectDetails, value: string): boolean {
  const wanted = value.includes("/") ? value : `${value}/tcp`;
  const exposed = (details.spec?.expose ?? []).map((port) => (port.includes("/") ? port : `${port}/tcp`));
  return exposed.includes(wanted) || details.ports.some(({ containerPort, protocol }) => `${containerPort}/${protocol}` === wanted);
}
