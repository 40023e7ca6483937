/** A Podman service of a test's own: its storage, configuration, sockets and networks, nothing shared with one the host may run. */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, removeControlGroup, unmountBelow, untilItAnswers } from "./engine-process.ts";

export interface Podman {
  readonly socket: string;
  /** As in `DOCKER_HOST`. */
  readonly endpoint: string;
  /** Ends it with everything it runs and keeps. Idempotent. */
  stop(): Promise<void>;
}

/** Starts Debian's Podman as a service and waits until it answers. Wants net, mount and pid namespaces of the test's own. */
export async function startPodman(): Promise<Podman> {
  const dir = mkdtempSync(join(tmpdir(), "berth-podman-"));
  const socket = join(dir, "podman.sock");
  const log = openSync(join(dir, "log"), "a");
  const service = ["podman", ...storage(dir), "system", "service", "--time=0", `unix://${socket}`];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", hideTheHosts, "sh", ...service], {
    stdio: ["ignore", log, log],
    // conmon leaves a file there when the kernel kills for want of memory.
    cwd: dir,
    env: { ...process.env, ...configuration(dir) },
  });
  closeSync(log);
  const podman: Podman = {
    socket,
    endpoint: `unix://${socket}`,
    stop: async () => {
      // Containers do not end with the service: their parents are conmon processes.
      if (child.exitCode === null) spawnSync("podman", ["--url", `unix://${socket}`, "rm", "--all", "--force", "--time", "0"], { timeout: 60_000 });
      await end(child, "SIGTERM");
      killNaming(dir);
      removeControlGroup("libpod_parent");
      unmountBelow(dir);
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
  try {
    await untilItAnswers(child, socket);
  } catch (cause) {
    const said = readFileSync(join(dir, "log"), "utf8").slice(-2000);
    await podman.stop();
    throw new Error(`podman does not start: ${said}`, { cause });
  }
  return podman;
}

/** Monitors of execs, which wait for their clean-up. */
function killNaming(dir: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`\0${dir}/`)) process.kill(Number(pid), "SIGKILL");
    } catch {
      // Ended meanwhile.
    }
  }
}

/** What it knows about blobs, and what crun knows about containers, is kept there whatever its root is. */
const hideTheHosts = 'for dir in /var/lib/containers /run/crun; do mkdir -p $dir && mount -t tmpfs tmpfs $dir || exit; done; exec "$@"';

function storage(dir: string): readonly string[] {
  return ["--root", join(dir, "root"), "--runroot", join(dir, "run"), "--storage-driver", "overlay"];
}

/** In files, so that the processes by which Podman cleans up after a container read the same. */
function configuration(dir: string): NodeJS.ProcessEnv {
  const [engine, registries] = [join(dir, "containers.conf"), join(dir, "registries.conf")];
  mkdirSync(join(dir, "networks"));
  writeFileSync(
    engine,
    toml({
      // Locks in shared memory have one name on the whole host.
      engine: { lock_type: "file", runtime: "crun", cgroup_manager: "cgroupfs", events_logger: "file", ...places(dir), ...laterCleanUp },
      network: { network_backend: "netavark", network_config_dir: join(dir, "networks") },
    }),
  );
  // dockerd speaks HTTP with registries on the loopback unasked.
  writeFileSync(registries, '[[registry]]\nprefix = "127.0.0.1"\nlocation = "127.0.0.1"\ninsecure = true\n');
  return { CONTAINERS_CONF: engine, CONTAINERS_REGISTRIES_CONF: registries };
}

/** After every exec a process of Podman would clean up minutes later, in the middle of other cases. Seconds. */
const laterCleanUp = { exit_command_delay: 86_400 };

function places(dir: string): Readonly<Record<string, string>> {
  return { tmp_dir: join(dir, "tmp"), volume_path: join(dir, "volumes"), image_copy_tmp_dir: dir };
}

type Table = Readonly<Record<string, string | number>>;

function toml(tables: Readonly<Record<string, Table>>): string {
  const lines = (table: Table): string[] => Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return Object.entries(tables)
    .flatMap(([name, table]) => [`[${name}]`, ...lines(table), ""])
    .join("\n");
}
