/** What the test suite consists of, in the order it runs: the quick things first. */

export interface TestGroup {
  readonly name: string;
  /** Files, as glob patterns from the root of the project, in the order in which they begin: the slow ones first. `not` takes some out again. */
  readonly files: readonly string[];
  readonly not?: readonly string[];
  /** Containers, mounts and namespaces need root. Each file then runs in net, mount and pid namespaces of its own. */
  readonly needsRoot: boolean;
  /** Short files of a group that needs root share one process and its namespaces. */
  readonly together?: boolean;
  /** Runs only when a word names it. */
  readonly byNameOnly?: true;
  /** How many test files run at once. */
  readonly atOnce: number;
}

/** A program that must end with 0; counts as one test. */
export interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

export const checks: readonly Check[] = [
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "lint", command: ["biome", "lint", "--error-on-warnings", "."] },
  { name: "format", command: ["biome", "format", "."] },
];

/** The daemon, driven by the clients people use; slow because of them. */
const daemonFiles = ["test/integration/daemon-*.test.ts"];

export const groups: readonly TestGroup[] = [
  { name: "structure", files: ["test/*.test.ts"], not: ["test/readme.test.ts"], needsRoot: false, atOnce: 2 },
  { name: "unit", files: ["src/**/*.test.ts", "bench/**/*.test.ts", "scripts/**/*.test.ts"], needsRoot: true, together: true, atOnce: 2 },
  { name: "contract on mock", files: ["test/contract/mock*.test.ts"], needsRoot: false, atOnce: 1 },
  { name: "contract on native, with crun and with runc", files: ["test/contract/native*.test.ts"], needsRoot: true, atOnce: 2 },
  {
    name: "contract on docker, our own daemon, and on a composite with docker",
    files: ["test/contract/docker.test.ts", "test/contract/{daemon,composite}.test.ts"],
    needsRoot: true,
    atOnce: 2,
  },
  {
    // Not green as a whole yet: docs/backends.md.
    name: "contract on podman",
    files: ["test/contract/podman*.test.ts"],
    needsRoot: true,
    byNameOnly: true,
    atOnce: 1,
  },
  { name: "integration", files: ["test/integration/crash.test.ts", "test/integration/**/*.test.ts"], not: daemonFiles, needsRoot: true, atOnce: 2 },
  { name: "daemon", files: daemonFiles, needsRoot: true, atOnce: 1 },
  { name: "readme", files: ["test/readme.test.ts"], needsRoot: true, atOnce: 1 },
];
