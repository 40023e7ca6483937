/**
 * Builds `dist/`: bundles that share their chunks, because a hundred small modules cost a hundred milliseconds at every start;
 * declarations; data. All of it lies in one directory, so that a module finds its worker or data file beside itself, as in
 * `src/`. Types are checked by `npm run typecheck`, not here.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const source = join(root, "src");
const target = join(root, "dist");
// Built aside and put in place at the end: a program that starts meanwhile sees the old or the new one.
const fresh = join(root, `dist.new-${process.pid}`);

/** Name in `dist/` → module. What runs as a process or thread of its own is an entry, too. */
const entries: Readonly<Record<string, string>> = {
  index: "index.ts",
  "cli/main": "cli/main.ts",
  testing: "testing/index.ts",
  "runtimes-native": "runtimes/native/open.ts",
  "runtimes-docker": "runtimes/docker/open.ts",
  "runtimes-mock": "runtimes/mock/index.ts",
  "runtimes-composite": "runtimes/composite/open.ts",
  ...Object.fromEntries(globSync("**/{*-worker,exit-handler,keeper}.ts", { cwd: source }).map((file) => [basename(file, ".ts"), file])),
};

try {
  await buildAll();
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

async function buildAll(): Promise<void> {
  await build({
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: join(source, file), out })),
    outdir: fresh,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    packages: "external",
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "warning",
  });
  for (const file of globSync("**/*.{json,LICENSE.md}", { cwd: source })) cpSync(join(source, file), join(fresh, basename(file)));
  chmodSync(join(fresh, "cli/main.js"), 0o755);
  emitDeclarations(join(fresh, "types"));
  checkEntries();
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
  process.stdout.write(`dist: ${Object.keys(entries).join(", ")}\n`);
}

function emitDeclarations(directory: string): void {
  const done = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", join(root, "tsconfig.build.json"), "--outDir", directory], { stdio: "inherit" });
  if (done.status !== 0) throw new Error(`tsc ended with ${done.status ?? done.signal}`);
  for (const file of globSync("**/*.d.ts", { cwd: directory })) {
    const path = join(directory, file);
    writeFileSync(path, readFileSync(path, "utf8").replace(/(\bfrom\s*|\bimport\s*\(\s*)"(\.{1,2}\/[^"]+)\.ts"/g, '$1"$2.js"'));
  }
}

/** Whatever package.json promises must have been built. */
function checkEntries(): void {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const path of filesNamedIn([manifest.bin, manifest.exports])) {
    const built = join(fresh, path.replace(/^(\.\/)?dist\//, ""));
    if (path !== "./package.json" && !existsSync(built)) throw new Error(`package.json names ${path}, which was not built`);
  }
}

function filesNamedIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(filesNamedIn) : [];
}
