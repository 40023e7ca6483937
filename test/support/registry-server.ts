import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

export interface RegistryServer {
  /** `127.0.0.1:<port>`, ready to stand before a repository in a reference. */
  readonly host: string;
  /** Root of its storage and configuration; removed by {@link RegistryServer.close}. */
  readonly dir: string;
  /** Ends the process and removes its files. Idempotent. */
  close(): Promise<void>;
}

export interface RegistryServerOptions {
  /** Demand this account by HTTP basic authentication. */
  readonly auth?: { readonly username: string; readonly password: string } | undefined;
}

/** Starts Debian's `docker-registry` on a free port of 127.0.0.1 and waits until it answers. */
export async function startRegistry(o: RegistryServerOptions = {}): Promise<RegistryServer> {
  const dir = mkdtempSync(join(tmpdir(), "berth-registry-"));
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const child = launch(dir, port, o);
    if (await answers(child, port)) return { host: `127.0.0.1:${port}`, dir, close: closer(child, dir) };
    await closer(child, attempt < 3 ? undefined : dir)();
    // Somebody else may have taken the port between the look and the start.
    if (attempt === 3) throw new Error("docker-registry does not start; is the package docker-registry installed?");
  }
}

function launch(dir: string, port: number, o: RegistryServerOptions): ChildProcess {
  const config = join(dir, "config.json");
  const auth = o.auth === undefined ? {} : { auth: { htpasswd: { realm: "berth", path: passwordFile(dir, o.auth) } } };
  // The configuration is YAML, of which JSON is a part.
  const content = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, "storage") }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: "test" },
    ...auth,
  };
  writeFileSync(config, JSON.stringify(content));
  // A killed test must not leave its registry behind.
  return spawn("setpriv", ["--pdeathsig", "KILL", "docker-registry", "serve", config], {
    stdio: "ignore",
    env: { PATH: process.env["PATH"], OTEL_TRACES_EXPORTER: "none" },
  });
}

function passwordFile(dir: string, account: { readonly username: string; readonly password: string }): string {
  const path = join(dir, "htpasswd");
  // Cost 4 is the least bcrypt knows: the registry computes it again for every request.
  writeFileSync(path, execFileSync("htpasswd", ["-Bbn", "-C", "4", account.username, account.password]));
  return path;
}

async function answers(child: ChildProcess, port: number): Promise<boolean> {
  const failed = new Promise<false>((resolve) => child.once("error", () => resolve(false)).once("exit", () => resolve(false)));
  for (let attempt = 0; attempt < 400 && child.exitCode === null; attempt++) {
    const up = await Promise.race([failed, ping(port)]);
    if (up) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/v2/", agent: false }, (response) => {
      response.resume();
      resolve(response.headers["docker-distribution-api-version"] !== undefined);
    });
    request.once("error", () => resolve(false));
  });
}

function closer(child: ChildProcess, dir: string | undefined): () => Promise<void> {
  const kill = (): void => void child.kill("SIGKILL");
  const abandon = (): void => {
    kill();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  return async () => {
    process.removeListener("exit", abandon);
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      kill();
      await gone;
    }
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  };
}
