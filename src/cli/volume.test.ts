/** `berth volume` and `berth system` against the mock backend. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { standaloneId } from "../spec/container-id.ts";
import { mockBench } from "../../test/support/cli-host.ts";

describe("berth volume", () => {
  test("create prints the name, ls lists, inspect shows it in Docker's shape, rm prints what went", async () => {
    const bench = await mockBench();
    assert.deepEqual(await bench.run(["volume", "create", "--label", "app=shop", "data"]), { code: 0, stdout: "data\n", stderr: "" });
    assert.match((await bench.run(["volume", "create"])).stdout, /^[0-9a-f]{64}\n$/);
    assert.match((await bench.run(["volume", "ls"])).stdout, /^DRIVER +VOLUME NAME\n/);
    assert.equal((await bench.run(["volume", "ls", "-q", "--filter", "label=app=shop"])).stdout, "data\n");
    const [record] = JSON.parse((await bench.run(["volume", "inspect", "data"])).stdout);
    assert.equal(record.Name, "data");
    assert.deepEqual(record.Labels, { app: "shop" });
    assert.equal((await bench.run(["volume", "inspect", "-f", "{{.Driver}}", "data"])).stdout, "local\n");
    assert.deepEqual(await bench.run(["volume", "rm", "data"]), { code: 0, stdout: "data\n", stderr: "" });
  });

  test("rm of an unknown volume fails and goes on, with -f it does not fail", async () => {
    const bench = await mockBench();
    await bench.run(["volume", "create", "there"]);
    const failed = await bench.run(["volume", "rm", "missing", "there"]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /no such volume: missing/);
    assert.equal(failed.stdout, "there\n");
    assert.equal((await bench.run(["volume", "rm", "-f", "missing"])).code, 0);
  });

  test("prune asks, takes anonymous ones, with -a all of them", async () => {
    const bench = await mockBench();
    await bench.run(["volume", "create", "named"]);
    const name = (await bench.run(["volume", "create"])).stdout;
    const asked = await bench.run(["volume", "prune"], { stdin: "n\n" });
    assert.match(asked.stdout, /^WARNING! This will remove anonymous local volumes/);
    assert.equal((await bench.run(["volume", "prune", "-f"])).stdout, `Deleted Volumes:\n${name}\nTotal reclaimed space: 0B\n`);
    assert.match((await bench.run(["volume", "prune", "-a"], { stdin: "y\n" })).stdout, /Deleted Volumes:\nnamed\n/);
    assert.match((await bench.run(["volume", "prune", "--filter", "until=1h"])).stderr, /invalid filter/);
  });

  test("options of the driver are passed on and refused where they are none", async () => {
    const bench = await mockBench();
    assert.equal((await bench.run(["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m", "mem"])).code, 0);
    assert.equal((await bench.run(["volume", "inspect", "-f", "{{.Options.o}}", "mem"])).stdout, "size=1m\n");
    assert.match((await bench.run(["volume", "create", "-o", "colour=red"])).stderr, /unknown volume option colour/);
    assert.match((await bench.run(["volume", "create", "-d", "rexray"])).stderr, /driver "rexray" is not supported/);
  });
});

describe("berth system", () => {
  test("df sums up images, containers and volumes", async () => {
    const bench = await mockBench();
    const image = "demo";
    await bench.runtime.createContainer(standaloneId("one"), { image });
    await bench.run(["volume", "create", "data"]);
    const lines = (await bench.run(["system", "df"])).stdout.split("\n");
    assert.match(lines[0] ?? "", /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE$/);
    assert.match(lines[1] ?? "", /^Images +1 +1 /);
    assert.match(lines[2] ?? "", /^Containers +1 +0 /);
    assert.match(lines[3] ?? "", /^Local Volumes +1 +0 /);
    assert.match((await bench.run(["system", "df", "-v"])).stdout, /VOLUME NAME +LINKS +SIZE\ndata +0 +0B\n/);
  });

  test("prune says what it will remove, asks, and removes it", async () => {
    const bench = await mockBench();
    const image = "demo";
    await bench.runtime.createContainer(standaloneId("one"), { image, storage: [{ type: "anonymous", target: "/v" }] });
    const volume = (await bench.run(["volume", "create"])).stdout.trim();
    await bench.run(["volume", "create", "named"]);
    const refused = await bench.run(["system", "prune", "--volumes", "-a"], { stdin: "n\n" });
    assert.match(refused.stdout, /- all stopped containers\n[\s\S]*- all anonymous volumes[\s\S]*- all images without at least one container/);
    assert.equal((await bench.runtime.listContainers()).length, 1);
    const done = await bench.run(["system", "prune", "--volumes", "-a", "--force"]);
    assert.equal(done.code, 0);
    assert.match(done.stdout, /Deleted Containers:\n[0-9a-f]{64}\n/);
    assert.ok(done.stdout.includes(volume));
    assert.match(done.stdout, /Deleted Images:\n/);
    assert.match(done.stdout, /Total reclaimed space: /);
    assert.deepEqual(await bench.runtime.listImages(), []);
    assert.deepEqual(
      (await bench.runtime.extras?.volumes?.list())?.map(({ name }) => name),
      ["named"],
    );
  });
});
