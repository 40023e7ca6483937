import { type Command, InvalidArgumentError, Option } from "commander";
import type { PortMappingInput, ServiceSpec, StorageSpec } from "../../spec/service-spec.ts";
import { parsePlatform, type TargetPlatform } from "../../spec/platform.ts";
import { collectEnvironment, collectLabels } from "./environment.ts";
import { absoluteSecurityOpt, parseAddHost, parseDevice, parseRestart, parseSysctls, parseUlimits } from "./limits.ts";
import { healthOf, logsOf, type PolicyFlags, policyOptions } from "./policies.ts";
import { parseExpose, parsePublish } from "./ports.ts";
import { type NetworkFlags, networkFlags } from "./networks.ts";
import { listOption, parseCpus, parseInteger, parseSize, parseSizeOrUnlimited } from "./values.ts";
import { parseMount, parseTmpfs, parseVolume } from "./volumes.ts";

type List = readonly string[] | undefined;

/** What commander makes of the flags that `run` and `create` share. */
export interface ContainerOptions extends PolicyFlags {
  readonly name?: string;
  readonly rm?: boolean;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: List;
  readonly envFile?: List;
  readonly label?: List;
  readonly labelFile?: List;
  readonly volume?: List;
  readonly mount?: List;
  readonly tmpfs?: List;
  readonly publish?: List;
  readonly expose?: List;
  readonly workdir?: string;
  readonly user?: string;
  readonly groupAdd?: List;
  readonly entrypoint?: string;
  readonly hostname?: string;
  readonly network?: readonly string[];
  readonly networkAlias?: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
  readonly dns?: List;
  readonly dnsSearch?: List;
  readonly dnsOption?: List;
  readonly dnsOpt?: List;
  readonly addHost?: List;
  readonly init?: boolean;
  readonly readOnly?: boolean;
  readonly privileged?: boolean;
  readonly capAdd?: List;
  readonly capDrop?: List;
  readonly securityOpt?: List;
  readonly device?: List;
  readonly sysctl?: List;
  readonly ulimit?: List;
  readonly pid?: string;
  readonly ipc?: string;
  readonly uts?: string;
  readonly cgroupParent?: string;
  readonly cpus?: number;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  readonly memorySwappiness?: number;
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly oomScoreAdj?: number;
  readonly oomKillDisable?: boolean;
  readonly restart?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: number;
  readonly platform?: string;
  readonly pull: "always" | "missing" | "never" | "newer";
  readonly quiet?: boolean;
  readonly cidfile?: string;
  readonly runtime?: string;
}

/** Declares them; everything from the image on belongs to the container. `-h` is the hostname here, as with Docker. */
export function addContainerOptions(command: Command): Command {
  command.helpOption("--help", "show help").passThroughOptions();
  for (const option of [
    ...processOptions(),
    ...networkOptions(),
    ...storageOptions(),
    ...securityOptions(),
    ...limitOptions(),
    ...lifeOptions(),
    ...policyOptions(),
  ]) {
    command.addOption(option);
  }
  return command;
}

function processOptions(): readonly Option[] {
  return [
    new Option("-i, --interactive", "keep stdin open"),
    new Option("-t, --tty", "give the process a terminal"),
    listOption("-e, --env <key[=value]>", "set a variable; without a value take it from the environment"),
    listOption("--env-file <file>", "read variables from a file"),
    new Option("-w, --workdir <dir>", "working directory inside the container"),
    new Option("-u, --user <user[:group]>", "name or number of the user"),
    listOption("--group-add <group>", "supplementary group"),
    new Option("--entrypoint <program>", "override the image's entrypoint; empty clears it"),
    new Option("--init", "run a minimal init as process 1 that forwards signals and reaps"),
    new Option("--platform <os/arch[/variant]>", "platform to take from a multi-platform image"),
  ];
}

function networkOptions(): readonly Option[] {
  return [
    listOption("-p, --publish <[ip:][host:]container[/proto]>", "publish a port of the container on the host"),
    listOption("--expose <port[/proto]>", "note a port without publishing it"),
    listOption("--network <network>", "bridge, host, none, container:<name> or the name of a network; the first is the main one"),
    listOption("--net <network>", "").hideHelp(),
    listOption("--network-alias <name>", "a further name within the main network"),
    new Option("--ip <ip>", "fixed IPv4 address in the main network"),
    new Option("--ip6 <ip>", "fixed IPv6 address in the main network"),
    new Option("--mac-address <mac>", "MAC address in the main network"),
    new Option("-h, --hostname <name>", "host name inside the container"),
    listOption("--dns <ip>", "name server"),
    listOption("--dns-search <domain>", "domain tried behind a name; . for none"),
    listOption("--dns-option <option>", "option for the container's resolver, such as ndots:2"),
    listOption("--dns-opt <option>", "").hideHelp(),
    listOption("--add-host <name:ip>", "add a line to /etc/hosts"),
  ];
}

function storageOptions(): readonly Option[] {
  return [
    listOption("-v, --volume <[source:]target[:ro]>", "mount a volume or a directory of the host"),
    listOption("--mount <type=…,source=…,target=…>", "mount a volume, bind or tmpfs"),
    listOption("--tmpfs <target[:options]>", "mount a tmpfs"),
    new Option("--read-only", "mount the root file system read-only"),
  ];
}

function securityOptions(): readonly Option[] {
  return [
    new Option("--privileged", "give all capabilities and devices, lift all confinement"),
    listOption("--cap-add <capability>", "add a Linux capability"),
    listOption("--cap-drop <capability>", "drop a Linux capability"),
    listOption("--security-opt <option>", "seccomp=…, apparmor=…, no-new-privileges, …"),
    listOption("--device <path[:path][:rwm]>", "add a device of the host"),
    listOption("--sysctl <key=value>", "set a namespaced kernel parameter"),
    new Option("--pid <mode>", "PID namespace: host or container:<name>"),
    new Option("--ipc <mode>", "IPC namespace: host, none, private, shareable or container:<name>"),
    new Option("--uts <mode>", "host shares the host's name"),
    new Option("--cgroup-parent <path>", "parent cgroup"),
  ];
}

function limitOptions(): readonly Option[] {
  return [
    new Option("--cpus <number>", "limit of CPUs, such as 1.5").argParser(parseCpus),
    new Option("-c, --cpu-shares <weight>", "relative CPU weight").argParser(parseInteger),
    new Option("--cpuset-cpus <list>", "CPUs to run on: 0-2,4"),
    new Option("-m, --memory <size>", "limit of memory, such as 512m").argParser(parseSize),
    new Option("--memory-swap <size>", "limit of memory and swap together; -1 is none").argParser(parseSizeOrUnlimited),
    new Option("--memory-reservation <size>", "soft limit of memory").argParser(parseSize),
    new Option("--memory-swappiness <0-100>", "inclination to swap (cgroup v1)").argParser(parseInteger),
    new Option("--pids-limit <number>", "limit of processes; -1 is none").argParser(parseInteger),
    new Option("--blkio-weight <10-1000>", "relative weight of block I/O").argParser(parseInteger),
    new Option("--oom-score-adj <number>", "inclination of the kernel to kill it when memory runs out").argParser(parseInteger),
    new Option("--oom-kill-disable", "do not kill it when memory runs out (cgroup v1)"),
    listOption("--ulimit <name=soft[:hard]>", "resource limit of the process"),
  ];
}

function lifeOptions(): readonly Option[] {
  return [
    new Option("--name <name>", "name of the container"),
    new Option("--rm", "remove the container and its anonymous volumes after its exit"),
    listOption("-l, --label <key[=value]>", "attach a label"),
    listOption("--label-file <file>", "read labels from a file"),
    new Option("--restart <policy>", "no, always, unless-stopped or on-failure[:max]"),
    new Option("--stop-signal <signal>", "signal that stops it"),
    new Option("--stop-timeout <seconds>", "time between that signal and SIGKILL").argParser(parseInteger),
    new Option("--pull <policy>", "pull the image before creating").choices(["always", "missing", "never", "newer"]).default("missing"),
    new Option("-q, --quiet", "do not show the progress of a pull"),
    new Option("--cidfile <file>", "write the container's id to a new file"),
    new Option("--runtime <runtime>", "OCI runtime: crun, runc or a path"),
  ];
}

export function targetPlatform(options: Pick<ContainerOptions, "platform">): TargetPlatform | undefined {
  return options.platform === undefined ? undefined : parsePlatform(options.platform);
}

/** The container those flags describe. Throws {@link InvalidArgumentError} naming the flag's fault. */
export function toServiceSpec(
  options: ContainerOptions & { readonly net?: readonly string[] },
  image: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServiceSpec {
  if (options.rm && options.restart !== undefined && options.restart !== "no") {
    throw new InvalidArgumentError("conflicting options: --restart and --rm.");
  }
  return {
    image,
    command: { entrypoint: entrypoint(options.entrypoint), args: args.length > 0 ? args : undefined, workdir: options.workdir },
    env: collectEnvironment(options.env ?? [], options.envFile ?? [], environment),
    user: options.user,
    extraGroups: options.groupAdd,
    tty: options.tty,
    stdinOpen: options.interactive,
    initContainer: options.init,
    platform: targetPlatform(options),
    labels: collectLabels(options.label ?? [], options.labelFile ?? []),
    ...network(options),
    storage: storage(options),
    readOnlyRootFs: options.readOnly,
    ...security(options),
    resources: resources(options),
    ulimits: parseUlimits(options.ulimit ?? []),
    stopSignal: options.stopSignal,
    stopGracePeriod: options.stopTimeout === undefined ? undefined : options.stopTimeout * 1000,
    health: healthOf(options),
    logs: logsOf(options),
    restartPolicy: options.restart === undefined ? undefined : parseRestart(options.restart),
    lifecycle: { deleteOnExit: options.rm === true },
  };
}

function entrypoint(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  return text === "" ? [] : [text];
}

function network(options: ContainerOptions & NetworkFlags): Partial<ServiceSpec> {
  const ports: readonly PortMappingInput[] = (options.publish ?? []).flatMap(parsePublish);
  return {
    ...networkFlags(options),
    hostname: options.hostname,
    portMappings: ports,
    expose: (options.expose ?? []).flatMap(parseExpose),
    dns: options.dns,
    dnsSearch: options.dnsSearch,
    dnsOptions: options.dnsOption ?? options.dnsOpt,
    extraHosts: options.addHost?.map(parseAddHost),
  };
}

function storage(options: ContainerOptions): readonly StorageSpec[] {
  return [...(options.volume ?? []).map(parseVolume), ...(options.mount ?? []).map(parseMount), ...(options.tmpfs ?? []).map(parseTmpfs)];
}

function utsMode(text: string | undefined): "host" | undefined {
  if (text === undefined || text === "" || text === "private") return undefined;
  if (text === "host") return text;
  throw new InvalidArgumentError(`invalid --uts ${JSON.stringify(text)}; there are host and private.`);
}

function security(options: ContainerOptions): Partial<ServiceSpec> {
  return {
    privileged: options.privileged,
    capabilities: options.capAdd,
    capDrop: options.capDrop,
    securityOpt: options.securityOpt?.map(absoluteSecurityOpt),
    devices: options.device?.map(parseDevice),
    sysctls: parseSysctls(options.sysctl ?? []),
    pidMode: options.pid,
    ipcMode: options.ipc,
    utsMode: utsMode(options.uts),
    cgroupParent: options.cgroupParent,
  };
}

function resources(options: ContainerOptions): ServiceSpec["resources"] {
  return {
    cpu: options.cpus,
    cpuShares: options.cpuShares,
    cpuset: options.cpusetCpus,
    memory: options.memory,
    memorySwap: options.memorySwap,
    memoryReservation: options.memoryReservation,
    memorySwappiness: options.memorySwappiness,
    pidsLimit: options.pidsLimit,
    blkioWeight: options.blkioWeight,
    oomScoreAdj: options.oomScoreAdj,
    oomKillDisable: options.oomKillDisable,
  };
}
