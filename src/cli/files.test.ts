import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { mockBench } from "../../test/support/cli-host.ts";

let bench: Awaited<ReturnType<typeof mockBench>>;
const directory = mkdtempSync(join(tmpdir(), "berth-cli-files-"));
const path = (name: string): string => join(directory, name);

before(async () => {
  bench = await mockBench();
  await bench.run(["run", "-d", "--name", "busy", "demo", "wait"]);
});
after(() => rmSync(directory, { recursive: true, force: true }));

describe("files a user names", () => {
  test("what cannot be opened is named in one line", async () => {
    for (const args of [
      ["load", "-i", path("nothing.tar")],
      ["import", path("nothing.tar")],
      ["secret", "create", "token", path("nothing.tar")],
    ])
      assert.deepEqual(
        await bench.run(args),
        { code: 1, stdout: "", stderr: `berth: cannot open ${path("nothing.tar")}: no such file or directory\n` },
        args[0],
      );
  });

  test("what cannot be written is named in one line, and the process goes on", async () => {
    for (const args of [
      ["export", "busy", "-o", path("nowhere/x.tar")],
      ["save", "demo", "-o", path("nowhere/x.tar")],
    ])
      assert.deepEqual(
        await bench.run(args),
        { code: 1, stdout: "", stderr: `berth: cannot write ${path("nowhere/x.tar")}: no such file or directory\n` },
        args[0],
      );
  });

  test("an archive is there when all of it is, and a failure leaves what was there", async () => {
    for (const args of [
      ["export", "busy"],
      ["save", "demo"],
    ])
      assert.equal((await bench.run([...args, "-o", path(`${args[0]}.tar`)])).code, 0);
    assert.equal(readFileSync(path("save.tar")).subarray(257, 262).toString(), "ustar");
    writeFileSync(path("kept.tar"), "as before");
    assert.equal((await bench.run(["save", "nobody", "-o", path("kept.tar")])).code, 1);
    assert.equal(readFileSync(path("kept.tar"), "utf8"), "as before");
    assert.deepEqual(readdirSync(directory).sort(), ["export.tar", "kept.tar", "save.tar"]);
    assert.ok(!existsSync(path("nowhere")));
  });
});

test("what is not there is told in Docker's words, without advice that does not fit", async () => {
  assert.deepEqual(await bench.run(["rmi", "nobody"]), { code: 1, stdout: "", stderr: "berth: No such image: nobody\n" });
  assert.equal((await bench.run(["rmi", "-f", "nobody"])).code, 0);
});

test("stats without names shows what starts meanwhile, forgets what ends, and ends with Ctrl-C", async () => {
  const stats = bench.start(["stats", "--format", "{{.Name}}"]);
  await stats.saw("busy");
  await bench.run(["run", "-d", "--name", "late", "demo", "wait"]);
  await stats.saw("late");
  await bench.run(["rm", "-f", "late"]);
  const shown = stats.stdout().length;
  while (!stats.stdout().slice(shown).includes("busy\nbusy\n")) await new Promise((resolve) => setTimeout(resolve, 50));
  stats.signal("SIGINT");
  assert.equal((await stats.done).code, 130);
});

test("prune is system prune", async () => {
  await bench.run(["create", "--name", "idle", "demo"]);
  const { code, stdout } = await bench.run(["prune", "-f"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Deleted Containers:\n[0-9a-f]{64}\n/);
});
