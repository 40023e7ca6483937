import { BerthError } from "../errors.ts";
import { completeAttachments } from "./complete-attachments.ts";
import {
  completeEndpoint,
  completeNetworkMode,
  completePortMapping,
  dropUselessNetworkFields,
  exposedPort,
  extraHost,
  hostname,
  ipAddress,
  resolverOption,
  searchDomain,
  workdir,
} from "./complete-network.ts";
import { completeHealth, completeLogs, completeRestartPolicy } from "./complete-policy.ts";
import { completeResources, completeUlimits } from "./complete-resources.ts";
import { capabilityList, cgroupParent, completeDevice, completeSysctls, ipcMode, pidMode, userText, usernsMode } from "./complete-security.ts";
import { completeStorage } from "./complete-storage.ts";
import { boolean, durationMs, type Fields, invalid, list, nonEmptyText, oneOf, onlyKeys, optional, record, stringMapOf, text, within } from "./fields.ts";
import type { TargetPlatform } from "./platform.ts";
import { parseSecurityOptions } from "./security-opt.ts";
import type { CommandSpec, CompleteSpec, ServiceSpec } from "./service-spec.ts";
import { parseSignal } from "./signals.ts";

const specKeys = [
  "image",
  "command",
  "env",
  "user",
  "extraGroups",
  "tty",
  "stdinOpen",
  "stdinOnce",
  "initContainer",
  "stopSignal",
  "stopGracePeriod",
  "hostname",
  "platform",
  "networkMode",
  "hostNetwork",
  "networks",
  "portMappings",
  "endpoints",
  "expose",
  "dns",
  "dnsSearch",
  "dnsOptions",
  "extraHosts",
  "storage",
  "devices",
  "privileged",
  "capabilities",
  "capDrop",
  "securityOpt",
  "readOnlyRootFs",
  "usernsMode",
  "pidMode",
  "ipcMode",
  "utsMode",
  "cgroupParent",
  "sysctls",
  "ulimits",
  "resources",
  "labels",
  "lifecycle",
  "restartPolicy",
  "health",
  "logs",
  "serviceType",
];

/** Fields of other layers, which a runtime passes over (contract 1.3.10 and 1.3.12). */
const foreignKeys = [
  "rtype",
  "schedule",
  "network",
  "scale",
  "replicaGroups",
  "depends",
  "init",
  "errors",
  "nodeMode",
  "nodeSelector",
  "affinity",
  "overlay",
  "localhostReachability",
  "isolation",
  "wasm",
];

const serviceTypes = oneOf(
  "standard",
  "job",
  "wasm_http",
  "wasm_plugin",
  "wasm_transformer",
  "wasm_authenticator",
  "wasm_rate_limiter",
  "wasm_middleware",
  "wasm_router",
);

/**
 * Fills in every default and checks every value of a spec (contract 1.3), with no look at the host. Warnings tell what is
 * dropped without harm. Throws `invalid_spec` naming field and remedy, `unsupported` for what must not be dropped quietly.
 */
export function completeSpec(input: ServiceSpec): { readonly spec: CompleteSpec; readonly warnings: readonly string[] } {
  const fields = record(input, "spec");
  onlyKeys(fields, "spec", [...specKeys, ...foreignKeys]);
  const warnings: string[] = [];
  const spec: CompleteSpec = {
    ...processFields(fields),
    ...networkFields(fields, warnings),
    storage: completeStorage(
      optional(
        fields["storage"],
        "storage",
        list((value) => value),
      ) ?? [],
      warnings,
    ),
    ...securityFields(fields),
    ...policyFields(fields),
    sysctls: {},
  };
  const sysctls = completeSysctls(fields["sysctls"] ?? {}, { hostNetwork: spec.hostNetwork, hostIpc: spec.ipcMode === "host" });
  return { spec: { ...spec, sysctls }, warnings };
}

type ProcessKeys =
  | "image"
  | "command"
  | "env"
  | "user"
  | "extraGroups"
  | "tty"
  | "stdinOpen"
  | "stdinOnce"
  | "initContainer"
  | "stopSignal"
  | "stopGracePeriodMs"
  | "platform";

function processFields(fields: Fields): Pick<CompleteSpec, ProcessKeys> {
  return {
    image: completeImage(fields["image"]),
    command: completeCommand(fields["command"]),
    env: optional(fields["env"], "env", stringMapOf(checkVariableName)) ?? {},
    user: fields["user"] === "" ? undefined : optional(fields["user"], "user", userText),
    extraGroups: optional(fields["extraGroups"], "extraGroups", list(nonEmptyText)) ?? [],
    tty: flag(fields, "tty"),
    stdinOpen: flag(fields, "stdinOpen"),
    ...(fields["stdinOnce"] === undefined ? {} : { stdinOnce: flag(fields, "stdinOnce") }),
    initContainer: flag(fields, "initContainer"),
    stopSignal: optional(fields["stopSignal"], "stopSignal", signalText),
    stopGracePeriodMs: optional(fields["stopGracePeriod"], "stopGracePeriod", durationMs),
    platform: optional(fields["platform"], "platform", completePlatform),
  };
}

function completeImage(value: unknown): CompleteSpec["image"] {
  const fields = typeof value === "string" ? { name: value } : record(value, "image");
  onlyKeys(fields, "image", ["name", "pullPolicy", "sourcePolicy"]);
  const image: Fields = fields;
  return {
    name: nonEmptyText(image["name"], "image.name").trim(),
    pullPolicy: optional(image["pullPolicy"], "image.pullPolicy", oneOf("always", "newer", "if_not_present", "never")) ?? "if_not_present",
    sourcePolicy: optional(image["sourcePolicy"], "image.sourcePolicy", oneOf("local_first", "s3_first", "remote_only", "local_only")) ?? "local_first",
  };
}

/** An empty list stays: it clears what the image says, where absence would keep it. */
function completeCommand(value: unknown): CommandSpec {
  const fields = optional(value, "command", record) ?? {};
  onlyKeys(fields, "command", ["entrypoint", "args", "workdir"]);
  return {
    entrypoint: optional(fields["entrypoint"], "command.entrypoint", list(text)),
    args: optional(fields["args"], "command.args", list(text)),
    workdir: optional(fields["workdir"], "command.workdir", workdir),
  };
}

function checkVariableName(name: string, field: string): void {
  if (name === "" || /[=\0]/.test(name)) throw invalid(field, `${JSON.stringify(name)} is not a variable name: it must not be empty nor contain "="`);
}

function signalText(value: unknown, field: string): string {
  const signal = String(typeof value === "number" ? value : text(value, field));
  within(field, () => parseSignal(signal, { any: true }));
  return signal;
}

function completePlatform(value: unknown, field: string): TargetPlatform {
  const fields = record(value, field);
  onlyKeys(fields, field, ["os", "arch", "variant", "osVersion"]);
  return {
    os: oneOf("linux", "windows", "macos")(fields["os"], `${field}.os`),
    arch: nonEmptyText(fields["arch"], `${field}.arch`),
    variant: optional(fields["variant"], `${field}.variant`, text),
    osVersion: optional(fields["osVersion"], `${field}.osVersion`, text),
  };
}

type NetworkKeys =
  | "networkMode"
  | "hostNetwork"
  | "networks"
  | "hostname"
  | "portMappings"
  | "endpoints"
  | "expose"
  | "dns"
  | "dnsSearch"
  | "dnsOptions"
  | "extraHosts";

function networkFields(fields: Fields, warnings: string[]): Pick<CompleteSpec, NetworkKeys> {
  const attachments = completeAttachments(fields["networks"], completeNetworkMode(fields["networkMode"], flag(fields, "hostNetwork")));
  const written = {
    mode: attachments.mode,
    hostname: fields["hostname"] === "" ? undefined : optional(fields["hostname"], "hostname", hostname),
    portMappings: optional(fields["portMappings"], "portMappings", list(completePortMapping)) ?? [],
    dns: optional(fields["dns"], "dns", list(ipAddress)) ?? [],
    dnsSearch: someOf(optional(fields["dnsSearch"], "dnsSearch", list(searchDomain))),
    dnsOptions: someOf(optional(fields["dnsOptions"], "dnsOptions", list(resolverOption))),
    extraHosts: optional(fields["extraHosts"], "extraHosts", list(extraHost)) ?? [],
  };
  const { mode, ...used } = dropUselessNetworkFields(written, warnings);
  return {
    ...used,
    networkMode: mode,
    hostNetwork: mode.mode === "host",
    networks: attachments.networks,
    endpoints: optional(fields["endpoints"], "endpoints", list(completeEndpoint)) ?? [],
    expose: optional(fields["expose"], "expose", list(exposedPort)) ?? [],
  };
}

type SecurityKeys =
  | "devices"
  | "privileged"
  | "capabilities"
  | "capDrop"
  | "securityOpt"
  | "readOnlyRootFs"
  | "usernsMode"
  | "pidMode"
  | "ipcMode"
  | "utsMode"
  | "cgroupParent"
  | "ulimits";

function securityFields(fields: Fields): Pick<CompleteSpec, SecurityKeys> {
  const securityOpt = optional(fields["securityOpt"], "securityOpt", list(nonEmptyText)) ?? [];
  parseSecurityOptions(securityOpt);
  return {
    devices: optional(fields["devices"], "devices", list(completeDevice)) ?? [],
    privileged: flag(fields, "privileged"),
    capabilities: optional(fields["capabilities"], "capabilities", capabilityList) ?? [],
    capDrop: optional(fields["capDrop"], "capDrop", capabilityList) ?? [],
    securityOpt,
    readOnlyRootFs: flag(fields, "readOnlyRootFs"),
    usernsMode: optional(fields["usernsMode"], "usernsMode", usernsMode),
    pidMode: optional(fields["pidMode"], "pidMode", pidMode),
    ipcMode: optional(fields["ipcMode"], "ipcMode", ipcMode),
    utsMode: utsMode(fields),
    cgroupParent: optional(fields["cgroupParent"], "cgroupParent", cgroupParent),
    ulimits: completeUlimits(fields["ulimits"] ?? {}),
  };
}

function utsMode(fields: Fields): "host" | undefined {
  const mode = optional(fields["utsMode"], "utsMode", oneOf("host"));
  if (mode !== undefined && fields["hostname"] !== undefined && fields["hostname"] !== "") {
    throw invalid("hostname", "conflicts with utsMode host: the container shares the name of the host; leave one of them out");
  }
  return mode;
}

function someOf(list: readonly string[] | undefined): readonly string[] | undefined {
  return list?.length === 0 ? undefined : list;
}

type PolicyKeys = "resources" | "labels" | "deleteOnExit" | "restartPolicy" | "health" | "logs" | "serviceType";

function policyFields(fields: Fields): Pick<CompleteSpec, PolicyKeys> {
  const lifecycle = optional(fields["lifecycle"], "lifecycle", record) ?? {};
  onlyKeys(lifecycle, "lifecycle", ["deleteOnExit"]);
  const deleteOnExit = optional(lifecycle["deleteOnExit"], "lifecycle.deleteOnExit", boolean) ?? false;
  const restartPolicy = completeRestartPolicy(fields["restartPolicy"]);
  if (deleteOnExit && restartPolicy.kind !== "no") {
    throw invalid("restartPolicy", `${restartPolicy.kind} and lifecycle.deleteOnExit exclude each other; drop one of them`);
  }
  return {
    resources: completeResources(fields["resources"] ?? {}),
    labels: optional(fields["labels"], "labels", stringMapOf(checkLabelKey)) ?? {},
    deleteOnExit,
    restartPolicy,
    health: optional(fields["health"], "health", completeHealth),
    logs: completeLogs(fields["logs"]),
    serviceType: optional(fields["serviceType"], "serviceType", serviceTypes) ?? "standard",
  };
}

function checkLabelKey(key: string, field: string): void {
  if (key === "") throw invalid(field, "a label needs a name");
}

function secret(variable: string, name: string, secretOf: SecretSource | undefined): string {
  if (secretOf === undefined) throw new BerthError("unsupported", `env.${variable}: there is no secret store; pass the value itself or $E:NAME`);
  const found = secretOf(name);
  if (found === undefined) throw invalid(`env.${variable}`, `there is no secret ${JSON.stringify(name)}; make it with: berth secret create ${name} -`);
  return found;
}

function flag(fields: Fields, name: string): boolean {
  return optional(fields[name], name, boolean) ?? false;
}

/**
 * Values of `env` with `$E:NAME` replaced from `processEnv` and `$S:name` by what `secretOf` answers. Throws `invalid_spec` for what
 * they do not have, and `unsupported` for `$S:` without `secretOf`. No value appears in a message.
 */
export function resolveEnvironment(
  env: Readonly<Record<string, string>>,
  processEnv: Readonly<Record<string, string | undefined>>,
  secretOf?: SecretSource,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, resolveValue(name, value, processEnv, secretOf)]));
}

/** Answers `undefined` for a secret that is not there. */
export type SecretSource = (name: string) => string | undefined;

function resolveValue(name: string, value: string, processEnv: Readonly<Record<string, string | undefined>>, secretOf: SecretSource | undefined): string {
  if (value.startsWith("$S:")) return secret(name, value.slice(3), secretOf);
  if (!value.startsWith("$E:")) return value;
  const source = value.slice(3);
  const found = processEnv[source];
  if (found === undefined) throw invalid(`env.${name}`, `the engine's environment has no variable ${JSON.stringify(source)}; set it there`);
  return found;
}
