/**
 * Draws docs/demo.svg from a real session: types commands into a terminal (tmux), waits for their end, takes the screen with its
 * colours. Needs root, tmux, and what the quickstart installs.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startRegistry } from "../test/support/registry-server.ts";
import { pushWelcomeImage } from "./lib/demo-image.ts";
import { isIsolated, runIsolated } from "./lib/isolate.ts";
import { screenToSvg } from "./lib/screen-to-svg.ts";

const project = join(import.meta.dirname, "..");
const size = { columns: 96, rows: 27 };
const prompt = "$ ";

process.exitCode = isIsolated() ? await main() : runIsolated();

async function main(): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "berth-record-"));
  undo.defer(() => rmSync(dir, { recursive: true, force: true }));
  const registry = await startRegistry();
  undo.defer(() => registry.close());
  await pushWelcomeImage(registry.host, "demo");
  const tmux = terminal(dir);
  undo.defer(() => void tmux("kill-server"));
  for (const command of session(registry.host)) await type(tmux, command);
  const screen = tmux("capture-pane", "-e", "-p", "-t", "demo");
  // The port is another one each time; the picture shows the same one, as long as it is, so that columns stay in line.
  const text = screen
    .replaceAll(registry.host, "127.0.0.1:50000".slice(0, registry.host.length))
    .trimEnd()
    .replace(/\n[^\n]*$/, "");
  writeFileSync(join(project, "docs", "demo.svg"), screenToSvg(text, size.columns));
  return 0;
}

function session(host: string): readonly string[] {
  return [
    `berth run --rm ${host}/demo`,
    `berth run -d --name web -p 8080:80 ${host}/demo httpd -f -p 80 -h /etc`,
    String.raw`berth ps --format 'table {{.Names}}\t{{.Status}}\t{{.Ports}}\t{{.Command}}'`,
    "berth exec web sh -c 'echo my address is $(hostname -i)'",
    "berth rm -f web",
  ];
}

type Tmux = (...args: readonly string[]) => string;

function terminal(dir: string): Tmux {
  mkdirSync(join(dir, "bin"));
  symlinkSync(join(project, "scripts", "berth"), join(dir, "bin", "berth"));
  const env = {
    PATH: `${join(dir, "bin")}:${process.env["PATH"]}`,
    HOME: dir,
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
    BERTH_ROOT: join(dir, "root"),
    BERTH_RUN_DIR: join(dir, "run"),
  };
  writeFileSync(join(dir, "rc"), `PS1='${prompt}'\n`);
  const tmux: Tmux = (...args) => execFileSync("tmux", ["-S", join(dir, "tmux"), ...args], { encoding: "utf8", env });
  tmux("-f", "/dev/null", "new-session", "-d", "-s", "demo", "-x", String(size.columns), "-y", String(size.rows), `bash --rcfile ${join(dir, "rc")}`);
  tmux("set", "-g", "status", "off");
  return tmux;
}

/** Types a line and waits until the prompt is back. */
async function type(tmux: Tmux, command: string): Promise<void> {
  const prompts = () =>
    tmux("capture-pane", "-p", "-S", "-", "-t", "demo")
      .split("\n")
      .filter((line) => line.startsWith("$")).length;
  const until = async (count: number) => {
    const end = performance.now() + 60_000;
    while (prompts() < count) {
      if (performance.now() > end) throw new Error(`no prompt after "${command}"; the screen shows:\n${tmux("capture-pane", "-p", "-t", "demo")}`);
      await delay(100);
    }
  };
  await until(1);
  const before = prompts();
  tmux("send-keys", "-t", "demo", "-l", command);
  tmux("send-keys", "-t", "demo", "Enter");
  await until(before + 1);
}

if (spawnSync("tmux", ["-V"]).error) process.stderr.write("tmux is missing: apt-get install tmux\n");
