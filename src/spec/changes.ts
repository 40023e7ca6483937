/** Dockerfile instructions that change an image's config, for import and commit (contract 1.4, `changes`). */
import { posix } from "node:path";
import type { ContainerConfig, Healthcheck } from "./image-config.ts";
import { expandWord, jsonWords, malformed, splitWords, type Variables } from "./instruction-words.ts";
import { parseSignal } from "./signals.ts";
import { parseDuration } from "./units.ts";

const allowed = ["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"] as const;
type Keyword = (typeof allowed)[number];

interface Change {
  readonly config: ContainerConfig;
  /** Whether these very changes set the command: an ENTRYPOINT clears one that is older. */
  readonly cmdIsSet: boolean;
}

/** What an image without any says. */
export const emptyConfig: ContainerConfig = { exposedPorts: [], env: [], entrypoint: [], cmd: [], volumes: [], labels: {}, onBuild: [] };

/** Applies newline-separated instructions. Throws `invalid_spec` for any other instruction, and for what cannot be read. */
export function applyChanges(config: ContainerConfig, changes: string): ContainerConfig {
  let change: Change = { config, cmdIsSet: false };
  for (const line of instructions(changes)) change = apply(change, line);
  return change.config;
}

/** Without comments and empty lines; a backslash at the end of a line joins the next one to it. */
function instructions(changes: string): string[] {
  const lines = changes.split(/\r?\n/).filter((line) => !/^\s*#/.test(line));
  const joined = lines.join("\n").replace(/\\[ \t]*\n/g, "");
  return joined.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}

function apply(change: Change, line: string): Change {
  const [, word = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
  const keyword = allowed.find((known) => known === word.toUpperCase());
  if (keyword === undefined) throw malformed(`${word} is not allowed; allowed are ${allowed.join(", ")}`);
  if (rest === "") throw malformed(`${keyword} needs an argument`);
  const { config } = change;
  const cmdIsSet = change.cmdIsSet || keyword === "CMD";
  if (keyword === "ENTRYPOINT" && !change.cmdIsSet) return { config: { ...config, cmd: [], entrypoint: command(rest) }, cmdIsSet };
  return { config: { ...config, ...readers[keyword](rest, config, variablesOf(config)) }, cmdIsSet };
}

type Reader = (rest: string, config: ContainerConfig, variables: Variables) => Partial<ContainerConfig>;

const readers: Readonly<Record<Keyword, Reader>> = {
  CMD: (rest) => ({ cmd: command(rest) }),
  ENTRYPOINT: (rest) => ({ entrypoint: command(rest) }),
  ENV: (rest, { env }, variables) => {
    const set = pairs("ENV", rest, variables);
    const keyOf = (entry: string): string => entry.split("=", 1)[0] ?? "";
    const known = env.map((entry) => (set.has(keyOf(entry)) ? `${keyOf(entry)}=${set.get(keyOf(entry))}` : entry));
    const fresh = [...set].filter(([key]) => !env.some((entry) => keyOf(entry) === key));
    return { env: [...known, ...fresh.map(([key, value]) => `${key}=${value}`)] };
  },
  EXPOSE: (rest, { exposedPorts }, variables) => ({ exposedPorts: unique([...exposedPorts, ...splitWords(rest, variables).flatMap(ports)]) }),
  HEALTHCHECK: (rest) => ({ healthcheck: healthcheck(rest) }),
  LABEL: (rest, { labels }, variables) => ({ labels: { ...labels, ...Object.fromEntries(pairs("LABEL", rest, variables)) } }),
  ONBUILD: (rest, { onBuild }) => {
    if (/^(ONBUILD|FROM|MAINTAINER)\b/i.test(rest)) throw malformed(`${rest.split(/\s/, 1)[0]} is not allowed behind ONBUILD`);
    return { onBuild: [...onBuild, rest] };
  },
  STOPSIGNAL: (rest, _, variables) => {
    const stopSignal = expandWord(rest, variables);
    parseSignal(stopSignal, { any: true });
    return { stopSignal };
  },
  USER: (rest, _, variables) => ({ user: single("USER", rest, variables) }),
  VOLUME: (rest, { volumes }, variables) => {
    const paths = (jsonWords(rest) ?? splitWords(rest, variables)).map((path) => expandWord(path, variables));
    if (paths.some((path) => path === "")) throw malformed("VOLUME needs a path");
    return { volumes: unique([...volumes, ...paths]) };
  },
  WORKDIR: (rest, { workingDir }, variables) => ({ workingDir: posix.resolve("/", workingDir ?? "/", expandWord(rest, variables)) }),
};

/** A list as it is; anything else is given to a shell. */
function command(rest: string): string[] {
  return jsonWords(rest) ?? ["/bin/sh", "-c", rest];
}

function single(keyword: string, rest: string, variables: Variables): string {
  const [word = "", ...more] = splitWords(rest, variables);
  if (more.length > 0) throw malformed(`${keyword} takes one argument`);
  return word;
}

/** `key=value …`, or the old form `key the rest of the line`. */
function pairs(keyword: string, rest: string, variables: Variables): Map<string, string> {
  const [first = ""] = rest.split(/\s/, 1);
  if (!first.includes("=")) {
    const value = rest.slice(first.length).trim();
    if (value === "") throw malformed(`${keyword} needs a value: ${keyword} ${first}=value`);
    return new Map([[expandWord(first, variables), expandWord(value, variables)]]);
  }
  const entries = splitWords(rest, variables).map((word): [string, string] => {
    const equals = word.indexOf("=");
    if (equals < 1) throw malformed(`${JSON.stringify(word)} of ${keyword} is not key=value`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
  return new Map(entries);
}

/** `80`, `53/udp`, `8000-8010/tcp`, as `<port>/<protocol>`. */
function ports(word: string): string[] {
  const [, first, last = first, protocol = "tcp"] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(word) ?? [];
  const [from, to, kind] = [Number(first), Number(last), protocol.toLowerCase()];
  const isValid = from >= 1 && to >= from && to <= 65_535 && ["tcp", "udp", "sctp"].includes(kind);
  if (!isValid) throw malformed(`${JSON.stringify(word)} is no port to expose`);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${kind}`);
}

const nanosecondsPerMs = 1_000_000;

function healthcheck(rest: string): Healthcheck {
  if (/^NONE$/i.test(rest)) return { test: ["NONE"] };
  const flags = new Map<string, string>();
  let left = rest;
  for (let flag = nextFlag(left); flag !== undefined; flag = nextFlag(left)) {
    if (flags.has(flag.name)) throw malformed(`HEALTHCHECK has two flags --${flag.name}`);
    flags.set(flag.name, flag.value);
    left = flag.rest;
  }
  const [, probe] = /^CMD\s+([\s\S]+)$/i.exec(left) ?? [];
  if (probe === undefined) throw malformed("HEALTHCHECK needs NONE, or flags and CMD with a command");
  const list = jsonWords(probe);
  return {
    test: list === undefined ? ["CMD-SHELL", probe] : ["CMD", ...list],
    interval: durationNs(flags.get("interval")),
    timeout: durationNs(flags.get("timeout")),
    startPeriod: durationNs(flags.get("start-period")),
    retries: retries(flags.get("retries")),
  };
}

function nextFlag(text: string): { readonly name: string; readonly value: string; readonly rest: string } | undefined {
  const [whole, name = "", value = ""] = /^--([a-z-]+)=(\S+)\s*/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  if (!["interval", "timeout", "start-period", "retries"].includes(name)) throw malformed(`HEALTHCHECK has no flag --${name}`);
  return { name, value, rest: text.slice(whole.length) };
}

function durationNs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.round(parseDuration(text) * nanosecondsPerMs);
}

function retries(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw malformed(`--retries=${text} is no number`);
  return Number(text);
}

function variablesOf(config: ContainerConfig): Variables {
  return new Map(
    config.env.map((entry) => {
      const equals = entry.indexOf("=");
      return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}
