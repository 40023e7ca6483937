import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { mockBench } from "../../test/support/cli-host.ts";

let bench: Awaited<ReturnType<typeof mockBench>>;

before(async () => {
  bench = await mockBench();
});

const now = (): string => String(Date.now() / 1000 + 1);

describe("events", () => {
  test("prints what happened as Docker does, and ends at --until", async () => {
    await bench.run(["run", "--name", "told", "--label", "colour=red", "demo", "fail", "3"]);
    const { stdout } = await bench.run(["events", "--since", "1h", "--until", "0s", "--filter", "container=told"]);
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => line.split(" ")[2]),
      ["create", "attach", "start", "die"],
    );
    assert.match(lines[3] ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z container die [0-9a-f]{64} \(colour=red, exitCode=3, image=\S+, name=told\)$/);
  });

  test("filters by event, label and type, and formats", async () => {
    await bench.run(["run", "--name", "other", "--label", "colour=blue", "demo", "fail", "4"]);
    const run = async (...args: string[]): Promise<string> => (await bench.run(["events", "--since", "1h", "--until", now(), ...args])).stdout;
    assert.equal(
      await run("-f", "event=die", "-f", "label=colour=blue", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.exitCode}}"),
      "container die 4\n",
    );
    const record = JSON.parse(await run("-f", "event=die", "-f", "container=other", "--format", "{{json .}}"));
    assert.deepEqual([record.status, record.Type, record.Actor.Attributes.name, record.scope], ["die", "container", "other", "local"]);
    assert.equal(await run("-f", "type=volume"), "");
    assert.equal((await bench.run(["events", "-f", "nonsense=1"])).code, 125);
  });

  test("goes on behind a cursor", async () => {
    const cursors = (await bench.run(["events", "--since", "1h", "--until", "0s", "--format", "{{.Cursor}}"])).stdout.trimEnd().split("\n");
    const rest = (await bench.run(["events", "--since", cursors.at(-3) ?? "", "--until", "0s", "--format", "{{.Cursor}}"])).stdout;
    assert.equal(rest, `${cursors.at(-2)}\n${cursors.at(-1)}\n`);
  });
});

describe("restart", () => {
  test("stops and starts, also what does not run, and prints the name", async () => {
    await bench.run(["run", "-d", "--name", "again", "demo", "wait"]);
    assert.deepEqual(await bench.run(["restart", "-t", "1", "again"]), { code: 0, stdout: "again\n", stderr: "" });
    await bench.run(["stop", "again"]);
    await bench.run(["restart", "again"]);
    assert.equal((await bench.run(["ps", "--filter", "name=again", "--format", "{{.Names}}"])).stdout, "again\n");
    const missing = await bench.run(["restart", "nobody", "again"]);
    assert.equal(missing.code, 1);
    assert.equal(missing.stdout, "again\n");
    await bench.run(["rm", "-f", "again"]);
  });
});
