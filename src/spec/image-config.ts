import { BerthError } from "../errors.ts";
import { isRecord, stringList, stringMap } from "./descriptor.ts";
import { type Digest, parseDigest } from "./digest.ts";
import type { OciPlatform } from "./platform.ts";

/** The image configuration (image-spec config.md), as far as Berth acts on it, with Docker's additions. */
export interface ImageConfig extends OciPlatform {
  readonly created?: string | undefined;
  readonly author?: string | undefined;
  /** Docker's: what was said at the commit, the container committed, who made it. */
  readonly comment?: string | undefined;
  readonly container?: string | undefined;
  readonly dockerVersion?: string | undefined;
  readonly parent?: string | undefined;
  readonly config: ContainerConfig;
  readonly rootfs: { readonly diffIds: readonly Digest[] };
  readonly history: readonly HistoryEntry[];
}

export interface ContainerConfig {
  readonly user?: string | undefined;
  readonly exposedPorts: readonly string[];
  /** `KEY=VALUE` */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly volumes: readonly string[];
  readonly workingDir?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal?: string | undefined;
  readonly healthcheck?: Healthcheck | undefined;
  readonly onBuild: readonly string[];
}

/** Docker's HEALTHCHECK; times are nanoseconds. */
export interface Healthcheck {
  readonly test: readonly string[];
  readonly interval?: number | undefined;
  readonly timeout?: number | undefined;
  readonly startPeriod?: number | undefined;
  readonly retries?: number | undefined;
}

export interface HistoryEntry {
  readonly created?: string | undefined;
  readonly createdBy?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly emptyLayer?: boolean | undefined;
}

/** Reads the bytes of an image config. Throws `invalid_spec`; the bytes come from a stranger. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const value = parseJson(bytes);
  if (!isRecord(value)) throw new BerthError("invalid_spec", "image config is not a JSON object");
  const { os, architecture } = value;
  if (typeof os !== "string" || typeof architecture !== "string") {
    throw new BerthError("invalid_spec", "image config lacks os or architecture");
  }
  const rootfs = isRecord(value.rootfs) ? value.rootfs : {};
  return {
    os,
    architecture,
    variant: text(value.variant),
    osVersion: text(value["os.version"]),
    created: text(value.created),
    author: text(value.author),
    comment: text(value.comment) || undefined,
    container: text(value.container) || undefined,
    dockerVersion: text(value.docker_version) || undefined,
    parent: text(value.parent) || undefined,
    config: parseContainerConfig(value.config),
    rootfs: { diffIds: (stringList(rootfs.diff_ids) ?? []).map(parseDigest) },
    history: Array.isArray(value.history) ? value.history.filter(isRecord).map(parseHistoryEntry) : [],
  };
}

function parseContainerConfig(value: unknown): ContainerConfig {
  const config = isRecord(value) ? value : {};
  return {
    user: text(config.User) || undefined,
    exposedPorts: isRecord(config.ExposedPorts) ? Object.keys(config.ExposedPorts) : [],
    env: stringList(config.Env) ?? [],
    entrypoint: commandList(config.Entrypoint),
    cmd: commandList(config.Cmd),
    volumes: isRecord(config.Volumes) ? Object.keys(config.Volumes) : [],
    workingDir: text(config.WorkingDir) || undefined,
    labels: stringMap(config.Labels) ?? {},
    stopSignal: text(config.StopSignal) || undefined,
    healthcheck: parseHealthcheck(config.Healthcheck),
    onBuild: stringList(config.OnBuild) ?? [],
  };
}

/** Old images hold a bare string where the list is expected. */
function commandList(value: unknown): readonly string[] {
  return typeof value === "string" ? [value] : (stringList(value) ?? []);
}

function parseHealthcheck(value: unknown): Healthcheck | undefined {
  if (!isRecord(value)) return undefined;
  return {
    test: stringList(value.Test) ?? [],
    interval: number(value.Interval),
    timeout: number(value.Timeout),
    startPeriod: number(value.StartPeriod),
    retries: number(value.Retries),
  };
}

function parseHistoryEntry(entry: Readonly<Record<string, unknown>>): HistoryEntry {
  return {
    created: text(entry.created),
    createdBy: text(entry.created_by),
    author: text(entry.author),
    comment: text(entry.comment),
    emptyLayer: entry.empty_layer === true,
  };
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BerthError("invalid_spec", "not valid JSON", { cause });
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** The `config` of an image as its JSON writes it; {@link parseImageConfig} reads the same again. Empty parts are left out. */
export function containerConfigJson(config: ContainerConfig): object {
  return {
    User: config.user,
    ExposedPorts: keySet(config.exposedPorts),
    Env: filled(config.env),
    Entrypoint: filled(config.entrypoint),
    Cmd: filled(config.cmd),
    Healthcheck: config.healthcheck && healthcheckJson(config.healthcheck),
    Volumes: keySet(config.volumes),
    WorkingDir: config.workingDir,
    Labels: Object.keys(config.labels).length > 0 ? config.labels : undefined,
    StopSignal: config.stopSignal,
    OnBuild: filled(config.onBuild),
  };
}

function healthcheckJson(check: Healthcheck): object {
  return { Test: check.test, Interval: check.interval, Timeout: check.timeout, StartPeriod: check.startPeriod, Retries: check.retries };
}

function filled(list: readonly string[]): readonly string[] | undefined {
  return list.length > 0 ? list : undefined;
}

function keySet(keys: readonly string[]): object | undefined {
  return keys.length > 0 ? Object.fromEntries([...keys].sort().map((key) => [key, {}])) : undefined;
}
