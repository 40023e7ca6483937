/** Data flows one way: who may import whom, as one table. Changing the table is a design decision. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "..");

/** Room → rooms it may import besides itself. A file directly in `src/` is a room of its own. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  version: [],
  spec: ["errors"],
  internal: ["errors"],
  runtime: ["spec", "errors"],
  state: ["internal", "errors"],
  content: ["spec", "errors", "internal"],
  registry: ["spec", "errors", "internal", "version"],
  snapshots: ["spec", "errors", "internal"],
  // Tar and compression as streams; knows neither images nor containers.
  archive: ["spec", "errors", "internal"],
  images: ["spec", "errors", "internal", "state", "content", "registry", "snapshots", "archive"],
  // Accounts at registries; knows no registry.
  credentials: ["errors", "internal"],
  // Volumes in a remote store; knows directories and keys, no containers.
  "volume-sync": ["spec", "errors", "internal", "state", "archive"],
  volumes: ["spec", "errors", "internal", "state"],
  network: ["spec", "errors", "internal", "state"],
  oci: ["spec", "errors", "internal"],
  "runtimes/native": [
    "runtime",
    "spec",
    "errors",
    "internal",
    "state",
    "content",
    "registry",
    "snapshots",
    "archive",
    "images",
    "volumes",
    "volume-sync",
    "credentials",
    "network",
    "oci",
    "version",
  ],
  "runtimes/mock": ["runtime", "spec", "errors", "internal", "archive"],
  // Its children are handed in; it keeps its table of choices and joins image archives.
  // Credentials are Docker's own, which the registry client reads as well. No engine gets an archive that was not read here.
  "runtimes/docker": ["runtime", "spec", "errors", "internal", "docker-api", "registry", "archive"],
  "runtimes/composite": ["runtime", "spec", "errors", "internal", "state", "archive"],
  "docker-api": ["runtime", "spec", "errors", "internal"],
  engine: ["runtime", "spec", "errors", "internal"],
  // Cases look into archives with the reader the engine has.
  testing: ["runtime", "spec", "errors", "internal", "archive"],
  http: ["docker-api", "engine", "runtime", "spec", "errors", "internal", "version"],
  daemon: ["http", "docker-api", "engine", "runtime", "spec", "errors", "internal", "state", "open-runtime", "version"],
  // `berth cp` reads and writes tars on the host's side.
  cli: ["archive", "engine", "runtime", "spec", "errors", "internal", "open-runtime", "version"],
  "open-runtime": ["engine", "runtime", "errors", "runtimes/native", "runtimes/docker", "runtimes/mock", "runtimes/composite"],
  // A process of its own: puts the supervisor on top of the one backend that outlives processes.
  keeper: ["engine", "runtimes/native"],
  index: ["open-runtime", "runtime", "spec", "errors", "testing", "version"],
};

/** Single files that may import more than their room. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  // `berth serve` is the daemon; no other command knows how one is made.
  "src/cli/commands/serve.ts": ["daemon"],
  // `berth doctor` looks at the host itself: it must also work where no backend opens.
  "src/cli/doctor-checks.ts": ["oci", "network"],
};

/** npm package → the rooms that may load it. */
const packages: Readonly<Record<string, readonly string[]>> = {
  // libc in internal/, libseccomp in oci/.
  koffi: ["internal", "oci"],
  "node-unix-socket": ["daemon", "internal", "oci", "runtimes/native"],
  commander: ["cli"],
  "@aws-sdk/client-s3": ["volume-sync"],
  ws: ["http"],
  zod: ["http"],
};

/** What tests beside the sources may use on top. */
const allowedInTests = ["testing", "test"];
const packagesInTests = ["fast-check"];

interface Import {
  readonly file: string;
  readonly specifier: string;
}

const sources = globSync("src/**/*.ts", { cwd: root }).sort();
const imports = sources.flatMap(importsOf);

/** Static, type-only and dynamic imports, re-exports, and files named for a worker by `new URL(…, import.meta.url)`. */
function importsOf(file: string): Import[] {
  const text = withoutComments(readFileSync(join(root, file), "utf8"));
  const forms = [
    /\b(?:import|export)\b[^"';]*?\bfrom\s*["'](?<to>[^"']+)["']/g,
    /^\s*import\s*["'](?<to>[^"']+)["']/gm,
    /\bimport\s*\(\s*["'](?<to>[^"']+)["']/g,
    /\bnew URL\(\s*["'](?<to>\.[^"']+)["']\s*,\s*import\.meta\.url/g,
    /\bimport\.meta\.resolve\(\s*["'](?<to>[^"']+)["']/g,
  ];
  return forms.flatMap((form) => [...text.matchAll(form)].map((found) => ({ file, specifier: found.groups?.["to"] ?? "" })));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** `src/runtimes/native/open.ts` → `runtimes/native`; `src/errors.ts` → `errors`; `test/support/x.ts` → `test`. */
function roomOf(path: string): string {
  const [top = "", first = "", second = ""] = path.split("/");
  if (top !== "src") return top;
  if (first === "runtimes") return `runtimes/${second}`;
  return first.replace(/\.ts$/, "");
}

function targetRoom({ file, specifier }: Import): string {
  return roomOf(relative(root, join(root, dirname(file), specifier)));
}

function isTest(file: string): boolean {
  return file.endsWith(".test.ts");
}

function isForbiddenFile(found: Import): boolean {
  const [from, to] = [roomOf(found.file), targetRoom(found)];
  const mayUse = [from, ...(allowed[from] ?? []), ...(exceptions[found.file] ?? []), ...(isTest(found.file) ? allowedInTests : [])];
  return !mayUse.includes(to);
}

function isForbiddenPackage({ file, specifier }: Import): boolean {
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (isTest(file) && packagesInTests.includes(name)) return false;
  return !packages[name]?.includes(roomOf(file));
}

const show = ({ file, specifier }: Import) => `${file} imports ${specifier}`;

describe("architecture", () => {
  test("finds the sources and their imports", () => {
    assert.ok(sources.length > 20 && imports.length > sources.length);
  });

  test("every room has a line in the table", () => {
    const rooms = new Set(sources.map(roomOf));
    assert.deepEqual(
      [...rooms].filter((room) => !(room in allowed)),
      [],
    );
  });

  test("rooms import only rooms they may", () => {
    const relativeImports = imports.filter(({ specifier }) => specifier.startsWith("."));
    assert.deepEqual(relativeImports.filter(isForbiddenFile).map(show), []);
  });

  test("the table has no cycle", () => {
    const reaches = (from: string, to: string): boolean => (allowed[from] ?? []).some((next) => next === to || reaches(next, to));
    assert.deepEqual(
      Object.keys(allowed).filter((room) => reaches(room, room)),
      [],
    );
  });

  test("packages are loaded only where they belong", () => {
    const bare = imports.filter(({ specifier }) => !specifier.startsWith(".") && !specifier.startsWith("node:"));
    assert.deepEqual(bare.filter(isForbiddenPackage).map(show), []);
  });

  test("only the public entries re-export", () => {
    const entries = ["src/index.ts", "src/testing/index.ts"];
    const reexport = /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*(?:as\s+\w+\s+)?from\b/m;
    const found = sources.filter((file) => !entries.includes(file) && reexport.test(withoutComments(readFileSync(join(root, file), "utf8"))));
    assert.deepEqual(found, []);
  });

  test("imports name their file with its ending", () => {
    const endless = imports.filter(({ specifier }) => specifier.startsWith(".") && !/\.(ts|json)$/.test(specifier));
    assert.deepEqual(endless.map(show), []);
  });
});
