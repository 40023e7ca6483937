/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out because its registry or mirror does
 * not offer them. Without their names `npm ci` calls the lock file out of step. Run it after `npm install`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  packages: Record<string, LockedPackage>;
}

const file = join(import.meta.dirname, "..", "package-lock.json");
const lock: LockFile = JSON.parse(readFileSync(file, "utf8"));

const absent = Object.values(lock.packages).flatMap((owner) =>
  Object.entries(owner.optionalDependencies ?? {})
    .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => [`node_modules/${name}`, placeholder(name, version, owner.dev === true)] as const),
);
lock.packages = Object.fromEntries([...Object.entries(lock.packages), ...absent].sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${absent.length} added\n`);

/** Names end in the platform they are for: `cli-win32-arm64`, `linux-x64-musl`. */
function placeholder(name: string, version: string, dev: boolean): LockedPackage {
  const os = /(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)/.exec(name)?.[1];
  const cpu = /(arm64|arm|x64|ia32|loong64|mips64el|ppc64|riscv64|s390x)/.exec(name)?.[1];
  return { version, ...(dev ? { dev } : {}), optional: true, ...(cpu ? { cpu: [cpu] } : {}), ...(os ? { os: [os] } : {}) };
}
