/**
 * Runs one code block of the README as a reader would, but with a registry of its own in place of Docker Hub and in namespaces
 * of its own: `run-readme-block.ts FILE`, where FILE ends in `.sh` or `.ts` and lies where `berth` can be imported.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pushWelcomeImage } from "../../scripts/lib/demo-image.ts";
import { isIsolated, runIsolated } from "../../scripts/lib/isolate.ts";
import { startRegistry } from "./registry-server.ts";

const project = join(import.meta.dirname, "..", "..");

process.exitCode = isIsolated() ? await main(process.argv[2] ?? "") : runIsolated();

async function main(file: string): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "berth-readme-"));
  undo.defer(() => rmSync(dir, { recursive: true, force: true }));
  const registry = await startRegistry();
  undo.defer(() => registry.close());
  const image = await pushWelcomeImage(registry.host, "alpine");
  const code = readFileSync(file, "utf8")
    .replaceAll(/\balpine\b/g, image)
    .replaceAll("openRuntime()", `openRuntime(${JSON.stringify(places(dir))})`);
  return file.endsWith(".sh") ? runShell(dir, code) : runProgram(dir, code);
}

function places(dir: string): { readonly root: string; readonly runDir: string } {
  return { root: join(dir, "root"), runDir: join(dir, "run") };
}

function runShell(dir: string, code: string): number {
  const { root, runDir } = places(dir);
  mkdirSync(join(dir, "bin"));
  symlinkSync(join(project, "scripts", "berth"), join(dir, "bin", "berth"));
  const env = { ...process.env, PATH: `${join(dir, "bin")}:${process.env["PATH"]}`, BERTH_ROOT: root, BERTH_RUN_DIR: runDir };
  return spawnSync("bash", ["-euo", "pipefail", "-c", code], { stdio: ["ignore", "inherit", "inherit"], env }).status ?? 1;
}

/** `import "berth"` finds the package as it would in a user's project: through node_modules. */
function runProgram(dir: string, code: string): number {
  mkdirSync(join(dir, "node_modules"));
  symlinkSync(project, join(dir, "node_modules", "berth"));
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
  writeFileSync(join(dir, "example.ts"), code);
  return spawnSync(process.execPath, [join(dir, "example.ts")], { stdio: ["ignore", "inherit", "inherit"] }).status ?? 1;
}
