/** Settings of the daemon: flags and a configuration file with the same names; flags win, lists are joined. */
import { readFileSync } from "node:fs";
import { BerthError, messageOf } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";

export interface DaemonSettings {
  /** `unix:///path`, `tcp://host:port` or `fd://`, which takes what systemd hands over. */
  readonly host: readonly string[];
  /** Owner of the unix sockets beside root; absent = `berth`, else `docker`, where one exists. */
  readonly group?: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** Clients must show a certificate signed by one of these. */
  readonly tlsCaCert?: string | undefined;
  /** Lines of `token role [name]`; asked for over TCP, and by the native API where one is sent. */
  readonly tokenFile?: string | undefined;
  readonly otlpEndpoint?: string | undefined;
  /** Seconds that answers have to finish when the daemon stops. */
  readonly shutdownTimeout: number;
  readonly backend?: string | undefined;
  readonly root?: string | undefined;
  readonly runDir?: string | undefined;
  readonly runtime?: string | undefined;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export const defaultConfigFile = "/etc/berth/daemon.json";

/** As given by flags or the file, before defaults: kebab-case keys. */
export type RawSettings = Readonly<Record<string, unknown>>;

const textKeys = ["group", "tls-cert", "tls-key", "tls-ca-cert", "token-file", "otlp-endpoint", "backend", "root", "run-dir", "runtime"] as const;
const known: readonly string[] = ["host", "log-level", "log-format", "shutdown-timeout", ...textKeys];

/** Reads the file; one that was not asked for by name may be absent. Throws `configuration`. */
export function readConfigFile(path: string, isOptional: boolean): RawSettings {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (isOptional && cause instanceof Error && "code" in cause && cause.code === "ENOENT") return {};
    throw new BerthError("configuration", `cannot read the configuration file ${path}: ${messageOf(cause)}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BerthError("configuration", `the configuration file ${path} is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (!isRecord(value)) throw new BerthError("configuration", `the configuration file ${path} must hold one object`);
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new BerthError("configuration", `${path}: unknown key ${JSON.stringify(unknown)}; known are ${known.join(", ")}`);
  return value;
}

/** Joins file and flags and checks every value. Throws `configuration` naming the setting. */
export function completeSettings(file: RawSettings, flags: RawSettings): DaemonSettings {
  const both = { ...file, ...Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) };
  const hosts = [...list(file["host"], "host"), ...list(flags["host"], "host")];
  const runDir = text(both["run-dir"], "run-dir") ?? "/run/berth";
  const texts = Object.fromEntries(textKeys.map((key) => [key, text(both[key], key)]));
  const settings: DaemonSettings = {
    host: hosts.length > 0 ? hosts : [`unix://${runDir}/docker.sock`],
    group: texts["group"],
    logLevel: oneOf(logLevels, both["log-level"] ?? "info", "log-level"),
    logFormat: oneOf(["text", "json"] as const, both["log-format"] ?? "text", "log-format"),
    tlsCert: texts["tls-cert"],
    tlsKey: texts["tls-key"],
    tlsCaCert: texts["tls-ca-cert"],
    tokenFile: texts["token-file"],
    otlpEndpoint: texts["otlp-endpoint"],
    shutdownTimeout: seconds(both["shutdown-timeout"] ?? 10),
    backend: texts["backend"],
    root: texts["root"],
    runDir: texts["run-dir"],
    runtime: texts["runtime"],
  };
  checkTls(settings);
  if (settings.otlpEndpoint !== undefined) checkCollector(settings.otlpEndpoint);
  return settings;
}

function checkCollector(endpoint: string): void {
  const url = URL.parse(endpoint);
  const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  if (!isUsable) throw invalid("otlp-endpoint", "must be a URL as in http://127.0.0.1:4318, without an account in it");
}

function checkTls(settings: DaemonSettings): void {
  if ((settings.tlsCert === undefined) !== (settings.tlsKey === undefined)) throw invalid("tls-cert", "and tls-key go together");
  if (settings.tlsCaCert !== undefined && settings.tlsCert === undefined) throw invalid("tls-ca-cert", "needs tls-cert and tls-key");
  const tcp = settings.host.find((host) => host.startsWith("tcp://"));
  if (tcp !== undefined) requireGuard(settings, tcp);
}

export type AddressSettings = Pick<DaemonSettings, "host" | "tlsCert" | "tlsCaCert" | "tokenFile">;

/** Throws `configuration` unless clients of a TCP socket are known and nobody can listen in. */
export function requireGuard(settings: AddressSettings, host: string): void {
  if (settings.tlsCert !== undefined && (settings.tlsCaCert !== undefined || settings.tokenFile !== undefined)) return;
  const needed = "tls-cert and tls-key, and tls-ca-cert or token-file to know its clients";
  throw invalid("host", `${host} needs ${needed}: whoever reaches this engine is root on this host`);
}

function text(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value === "") throw invalid(name, "must be a text");
  return value;
}

function list(value: unknown, name: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "string") return [value];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw invalid(name, "must be a text or a list of texts");
  return value;
}

function oneOf<T extends string>(words: readonly T[], value: unknown, name: string): T {
  const found = words.find((word) => word === value);
  if (found === undefined) throw invalid(name, `must be one of ${words.join(", ")}`);
  return found;
}

function seconds(value: unknown): number {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !(number >= 0) || number > 3600) throw invalid("shutdown-timeout", "must be a number of seconds from 0 to 3600");
  return number;
}

function invalid(name: string, problem: string): BerthError {
  return new BerthError("configuration", `${name} ${problem}`);
}
