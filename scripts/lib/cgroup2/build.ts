/** Bundles the guest program and the threads and processes of the native backend into one directory. */
import { cpSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error("usage: build.ts DIRECTORY");
const root = join(import.meta.dirname, "../../..");
const source = join(root, "src");
const processes = globSync("**/{*-worker,exit-handler,keeper}.ts", { cwd: source });

await build({
  entryPoints: [
    { in: join(import.meta.dirname, "guest.ts"), out: "guest" },
    ...processes.map((file) => ({ in: join(source, file), out: basename(file, ".ts") })),
  ],
  outdir: target,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  packages: "external",
  logLevel: "warning",
});
for (const file of globSync("**/*.json", { cwd: source })) cpSync(join(source, file), join(target, basename(file)));
