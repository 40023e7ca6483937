import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { mockBench } from "../../../test/support/cli-host.ts";

let directory: string;
let script: string;

/** A stand-in for berth that knows the names; the script asks it for them. */
const berth = `#!/bin/sh
[ "$1" = --root ] && shift 2
case "$*" in
  "__complete containers") printf 'web\\nworker\\n' ;;
  "__complete running") printf 'web\\n' ;;
  "__complete images") printf 'alpine:3.22\\n127.0.0.1:5000/demo:latest\\n' ;;
  "__complete any") printf 'web\\nalpine:3.22\\n' ;;
esac
`;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "berth-completion-"));
  script = join(directory, "berth.bash");
  writeFileSync(script, (await (await mockBench()).run(["completion", "bash"])).stdout);
  writeFileSync(join(directory, "berth"), berth);
  chmodSync(join(directory, "berth"), 0o755);
  mkdirSync(join(directory, "cwd"));
  writeFileSync(join(directory, "cwd", "env-file"), "");
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** What bash offers when TAB is pressed at the end of `line`. */
function offered(line: string): readonly string[] {
  const program = `
    source "$1"
    COMP_LINE="$2" COMP_POINT=\${#2} COMP_WORDS=(berth) COMP_CWORD=0 COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
    _berth
    printf '%s\\n' "\${COMPREPLY[@]}"
  `;
  const done = spawnSync("bash", ["--norc", "--noprofile", "-c", program, "bash", script, line], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    cwd: join(directory, "cwd"),
    env: { PATH: `${directory}:${process.env["PATH"]}` },
  });
  assert.equal(done.stderr, "");
  return done.stdout.split("\n").filter(Boolean);
}

describe("completion in bash", () => {
  test("of commands and flags", () => {
    assert.deepEqual(offered("berth ru"), ["run"]);
    assert.deepEqual(offered("berth st"), ["stop", "stats", "start"]);
    assert.deepEqual(offered("berth --ru"), ["--run-dir", "--runtime"]);
    assert.deepEqual(offered("berth run --memory-s"), ["--memory-swap", "--memory-swappiness"]);
    assert.deepEqual(offered("berth run -it --entry"), ["--entrypoint"]);
    assert.deepEqual(offered("berth completion "), ["bash", "zsh"]);
  });

  test("of names from the engine, also behind global flags", () => {
    assert.deepEqual(offered("berth logs "), ["web", "worker"]);
    assert.deepEqual(offered("berth --root /x rm w"), ["web", "worker"]);
    assert.deepEqual(offered("berth stop web wo"), []);
    assert.deepEqual(offered("berth exec -it "), ["web"]);
    assert.deepEqual(offered("berth inspect a"), ["alpine:3.22"]);
  });

  test("of images, whose colons bash takes apart", () => {
    assert.deepEqual(offered("berth run --rm al"), ["alpine:3.22"]);
    assert.deepEqual(offered("berth run --rm alpine:3"), ["3.22"]);
    assert.deepEqual(offered("berth pull 127.0.0.1:5000/demo:l"), ["latest"]);
  });

  test("of a flag's values, and of nothing of ours behind the image", () => {
    assert.deepEqual(offered("berth run --pull n"), ["never", "newer"]);
    assert.deepEqual(offered("berth run --env-file en"), ["env-file"]);
    assert.deepEqual(offered("berth run -e A=1 al"), ["alpine:3.22"]);
    assert.deepEqual(offered("berth run alpine --mem"), []);
    assert.deepEqual(offered("berth run alpine en"), ["env-file"]);
  });
});

test("the script for zsh knows every command and every flag", async () => {
  const { stdout } = await (await mockBench()).run(["completion", "zsh"]);
  assert.match(stdout, /^#compdef berth\n/);
  assert.match(stdout, /'run:Create and run a new container from an image'/);
  assert.match(stdout, /'\*'\{-e,--env\}'\[set a variable; without a value take it from the environment\]:value:_files'/);
  assert.match(stdout, /\(always missing never newer\)/);
});

test("names for the scripts come from the hidden command", async () => {
  const bench = await mockBench();
  await bench.run(["create", "--name", "made", "demo"]);
  assert.equal((await bench.run(["__complete", "containers"])).stdout, "made\n");
  assert.equal((await bench.run(["__complete", "running"])).stdout, "");
  assert.equal((await bench.run(["__complete", "images"])).stdout, "demo:latest\n");
  assert.doesNotMatch((await bench.run(["--help"])).stdout, /__complete/);
});
