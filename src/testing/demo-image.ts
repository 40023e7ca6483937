/** The image contract cases run: a static busybox with a few users, files and traps, built by code. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ContainerConfig } from "../spec/image-config.ts";
import { type TarFixture, writeTar } from "./tar-writer.ts";

/** `plain` says little; `configured` sets everything an image config can say about a process. */
export type DemoVariant = "plain" | "configured";

export interface DemoImage {
  /** Keys of the image config as registries store it, without `rootfs`. */
  readonly config: object;
  /** Uncompressed tar per layer, base first. */
  readonly layers: readonly Uint8Array[];
}

export interface DemoOptions {
  /** A static busybox. Default: the one on this host's path. */
  readonly busybox?: string | undefined;
  /** Default: this host's. */
  readonly architecture?: string | undefined;
  /** Makes the image differ from others of its variant. */
  readonly stamp?: string | undefined;
}

/** What the image config of each variant says. */
export const demoConfigs: Readonly<Record<DemoVariant, Partial<ContainerConfig>>> = {
  plain: { env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEMO=image"], cmd: ["sh"] },
  configured: {
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEMO=image", "FROM_IMAGE=1"],
    entrypoint: ["/demo/show-args", "entry"],
    cmd: ["cmd-a", "cmd b"],
    workingDir: "/demo/work",
    user: "alice",
    labels: { "demo.label": "from the image" },
    stopSignal: "SIGUSR1",
    volumes: ["/data"],
    exposedPorts: ["80/tcp"],
  },
};

/** Two layers: the second replaces one file of the first and deletes another. */
export function buildDemoImage(variant: DemoVariant, o: DemoOptions = {}): DemoImage {
  const config = demoConfigs[variant];
  return { config: configJson(config, o), layers: [baseLayer(o.busybox ?? findBusybox()), secondLayer(o.stamp ?? "")] };
}

function configJson(config: Partial<ContainerConfig>, o: DemoOptions): object {
  return {
    os: "linux",
    architecture: o.architecture ?? (process.arch === "x64" ? "amd64" : process.arch),
    created: "2026-01-01T00:00:00Z",
    config: {
      Env: config.env,
      Cmd: config.cmd,
      Entrypoint: config.entrypoint,
      WorkingDir: config.workingDir,
      User: config.user,
      Labels: config.labels,
      StopSignal: config.stopSignal,
      Volumes: keys(config.volumes),
      ExposedPorts: keys(config.exposedPorts),
    },
    history: [
      { created: "2026-01-01T00:00:00Z", created_by: "busybox and users" },
      { created: "2026-01-01T00:00:00Z", created_by: `second layer ${o.stamp ?? ""}`.trim() },
    ],
  };
}

function keys(names: readonly string[] | undefined): object | undefined {
  return names === undefined ? undefined : Object.fromEntries(names.map((name) => [name, {}]));
}

function findBusybox(): string {
  const found = (process.env["PATH"] ?? "/bin:/usr/bin")
    .split(":")
    .map((dir) => `${dir}/busybox`)
    .find(isExecutable);
  if (found === undefined) throw new Error("no busybox on the path; install the package busybox-static");
  return found;
}

function isExecutable(path: string): boolean {
  try {
    execFileSync(path, ["true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const alice = { uid: 1000, gid: 1000 };

const passwd = `root:x:0:0:root:/root:/bin/sh
alice:x:1000:1000:Alice:/home/alice:/bin/sh
bob:x:1001:1002:Bob:/home/bob:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`;

const group = `root:x:0:
wheel:x:10:alice
audio:x:29:
video:x:44:alice
alice:x:1000:
bob:x:1002:
nogroup:x:65534:
`;

const showArgs = '#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n';

function baseLayer(busybox: string): Uint8Array {
  const applets = execFileSync(busybox, ["--list"]).toString().trim().split("\n");
  const directories = ["bin/", "etc/", "proc/", "sys/", "dev/", "run/", "home/", "var/", "usr/", "demo/", "demo/seed/", "demo/seed/nested/", "data/"];
  const entries: TarFixture[] = [
    ...directories.map((name) => ({ name })),
    { name: "root/", mode: 0o700 },
    { name: "tmp/", mode: 0o1777 },
    { name: "home/alice/", ...alice },
    { name: "bin/busybox", mode: 0o755, data: readFileSync(busybox) },
    ...applets.filter((name) => name !== "busybox").map((name) => ({ name: `bin/${name}`, linkName: "/bin/busybox" })),
    { name: "etc/passwd", data: passwd },
    { name: "etc/group", data: group },
    { name: "demo/not-executable", data: "#!/bin/sh\nexit 0\n" },
    { name: "demo/show-args", mode: 0o755, data: showArgs },
    { name: "demo/layered.txt", data: "first\n" },
    { name: "demo/removed.txt", data: "should not be seen\n" },
    { name: "demo/seed/hello.txt", data: "from the image\n", mode: 0o640, ...alice },
    { name: "demo/seed/nested/deep.txt", data: "deep\n" },
    { name: "data/image.txt", data: "from the image\n" },
  ];
  return writeTar(entries);
}

function secondLayer(stamp: string): Uint8Array {
  return writeTar([
    { name: "demo/" },
    { name: "demo/layered.txt", data: "second\n" },
    { name: "demo/.wh.removed.txt", data: "" },
    { name: "demo/stamp.txt", data: `${stamp}\n` },
  ]);
}
