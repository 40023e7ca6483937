import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { mockBench } from "../../test/support/cli-host.ts";
import { standaloneId } from "../spec/container-id.ts";

let bench: Awaited<ReturnType<typeof mockBench>>;

before(async () => {
  bench = await mockBench();
});

/** Names of all containers. */
async function names(): Promise<readonly string[]> {
  return (await bench.run(["ps", "-a", "--format", "{{.Names}}"])).stdout.split("\n").filter(Boolean);
}

describe("run", () => {
  test("prints what the container prints and ends as it ends", async () => {
    assert.deepEqual(await bench.run(["run", "--rm", "demo"]), { code: 0, stdout: "from the image\n", stderr: "" });
    assert.deepEqual(await bench.run(["run", "--rm", "demo", "fail", "7"]), { code: 7, stdout: "", stderr: "failing\n" });
    assert.deepEqual(await names(), []);
  });

  test("leaves what follows the image to the container", async () => {
    assert.equal((await bench.run(["run", "--rm", "demo", "echo", "--rm", "-x", "--", "--help"])).stdout, "--rm -x -- --help\n");
  });

  test("passes stdin with -i only", async () => {
    assert.equal((await bench.run(["run", "-i", "--rm", "demo", "cat"], { stdin: "typed" })).stdout, "typed");
    assert.equal((await bench.run(["run", "--rm", "demo", "cat"], { stdin: "typed" })).stdout, "");
  });

  test("takes variables from the environment", async () => {
    assert.equal((await bench.run(["run", "--rm", "-e", "WHO", "demo", "env", "WHO"], { env: { WHO: "me" } })).stdout, "me\n");
  });

  test("127 for a missing command, 126 for one that cannot run, 125 for berth's own failures; nothing stays behind", async () => {
    const missing = await bench.run(["run", "--rm", "demo", "nope"]);
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /^berth: .*nope/);
    assert.equal((await bench.run(["run", "--rm", "demo", "locked"])).code, 126);
    assert.equal((await bench.run(["run", "--rm", "--pull", "never", "nowhere"])).code, 125);
    assert.equal((await bench.run(["run", "--rm", "UPPER"])).code, 125);
    assert.equal((await bench.run(["run", "--rm", "-p", "x:y", "demo"])).code, 125);
    assert.equal((await bench.run(["run", "--nope", "demo"])).code, 125);
    assert.equal((await bench.run(["run"])).code, 125);
    assert.deepEqual(await names(), []);
  });

  test("pulls a missing image and says so on stderr", async () => {
    const done = await bench.run(["run", "--rm", "not-local"]);
    assert.equal(done.stdout, "pulled\n");
    assert.match(done.stderr, /^Unable to find image 'not-local:latest' locally\n/);
    assert.match(done.stderr, /Pull complete/);
    assert.equal((await bench.run(["run", "--rm", "--quiet", "--pull", "always", "not-local"])).stderr, "");
  });

  test("-d prints the id and returns", async () => {
    const done = await bench.run(["run", "-d", "--name", "bg", "demo", "wait"]);
    assert.match(done.stdout, /^[0-9a-f]{64}\n$/);
    assert.match((await bench.run(["ps"])).stdout, new RegExp(`${done.stdout.slice(0, 12)} .*"wait" .*Up .*bg`));
    assert.equal((await bench.run(["run", "-d", "--name", "bg", "demo"])).code, 125);
    await bench.run(["rm", "-f", "bg"]);
  });

  test("passes signals on; the container decides what they mean", async () => {
    const running = bench.start(["run", "--rm", "--name", "sig", "demo", "wait"]);
    await running.saw("ready");
    running.signal("SIGTERM");
    assert.equal((await running.done).code, 3);
    assert.deepEqual(await names(), []);
  });

  test("whoever interrupts three times gets out; the container goes on", async () => {
    const running = bench.start(["run", "--name", "stubborn", "demo", "stubborn"]);
    await running.saw("ready");
    running.signal("SIGINT");
    running.signal("SIGINT");
    running.signal("SIGINT");
    const done = await running.done;
    assert.equal(done.code, 130);
    assert.match(done.stderr, /leaving stubborn running/);
    assert.equal((await bench.runtime.containerState(standaloneId("stubborn"))).state, "running");
    await bench.run(["rm", "-f", "stubborn"]);
  });

  test("the detach keys leave a container running", async () => {
    const running = bench.start(["run", "-it", "--name", "left", "demo", "wait"], { terminal: true });
    await running.saw("ready");
    running.stdin.write(Uint8Array.of(0x10, 0x11));
    assert.equal((await running.done).code, 0);
    assert.equal((await bench.runtime.containerState(standaloneId("left"))).state, "running");
    await bench.run(["rm", "-f", "left"]);
  });

  test("-it without a terminal is refused before anything happens", async () => {
    const done = await bench.run(["run", "-it", "--rm", "demo"]);
    assert.equal(done.code, 1);
    assert.match(done.stderr, /the input device is not a TTY/);
  });

  test("switches can be written with a value", async () => {
    assert.equal((await bench.run(["run", "--rm=true", "-t=false", "demo", "echo", "--rm=true"])).stdout, "--rm=true\n");
    assert.deepEqual(await names(), []);
    await bench.run(["run", "--rm=false", "--name", "kept", "--sig-proxy=false", "demo"]);
    assert.deepEqual(await names(), ["kept"]);
    await bench.run(["rm", "kept"]);
  });
});

describe("the life of a container", () => {
  test("create, start -a, logs, wait, rm", async () => {
    assert.match((await bench.run(["create", "--name", "once", "demo", "echo", "hello"])).stdout, /^[0-9a-f]{64}\n$/);
    assert.match((await bench.run(["ps", "-a"])).stdout, /Created .*once/);
    assert.equal((await bench.run(["ps", "-q"])).stdout, "");
    assert.deepEqual(await bench.run(["start", "-a", "once"]), { code: 0, stdout: "hello\n", stderr: "" });
    assert.equal((await bench.run(["start", "once"])).stdout, "once\n");
    assert.equal((await bench.run(["wait", "once"])).stdout, "0\n");
    assert.equal((await bench.run(["logs", "once"])).stdout, "hello\nhello\n");
    assert.match((await bench.run(["logs", "-t", "--tail", "1", "once"])).stdout, /^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z hello\n$/);
    assert.deepEqual(await bench.run(["rm", "once"]), { code: 0, stdout: "once\n", stderr: "" });
  });

  test("stop and kill print names; rm of a running one needs -f", async () => {
    for (const name of ["one", "two"]) await bench.run(["run", "-d", "--name", name, "demo", "wait"]);
    const refused = await bench.run(["rm", "one"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /is running; stop it first/);
    assert.equal((await bench.run(["stop", "one"])).stdout, "one\n");
    assert.equal((await bench.run(["kill", "-s", "TERM", "two"])).stdout, "two\n");
    assert.equal((await bench.run(["wait", "one", "two"])).stdout, "3\n3\n");
    assert.equal((await bench.run(["rm", "one", "two"])).stdout, "one\ntwo\n");
  });

  test("one unknown name does not stop the others, and the code tells", async () => {
    await bench.run(["create", "--name", "known", "demo"]);
    const done = await bench.run(["rm", "nope", "known"]);
    assert.deepEqual(done, { code: 1, stdout: "known\n", stderr: "berth: No such container: nope\n" });
    assert.equal((await bench.run(["rm", "-f", "nope"])).code, 0);
  });
});

describe("exec", () => {
  test("answers the command's own code and channels", async () => {
    await bench.run(["run", "-d", "--name", "host", "demo", "wait"]);
    assert.equal((await bench.run(["exec", "host", "echo", "-x", "hi"])).stdout, "-x hi\n");
    assert.deepEqual(await bench.run(["exec", "host", "fail", "9"]), { code: 9, stdout: "", stderr: "failing\n" });
    assert.equal((await bench.run(["exec", "-i", "host", "cat"], { stdin: "typed" })).stdout, "typed");
    assert.equal((await bench.run(["exec", "-e", "A=1", "host", "env", "A"])).stdout, "1\n");
    assert.equal((await bench.run(["exec", "host", "nope"])).code, 127);
    assert.equal((await bench.run(["exec", "nope", "echo"])).code, 1);
    assert.equal((await bench.run(["exec", "-it", "host", "cat"])).code, 1);
    await bench.run(["rm", "-f", "host"]);
    assert.equal((await bench.run(["exec", "host", "echo"])).code, 1);
  });
});

describe("listings", () => {
  test("ps: filters, -n, -q, formats", async () => {
    await bench.run(["create", "--name", "aa", "-l", "x=1", "demo"]);
    await bench.run(["run", "-d", "--name", "bb", "-l", "x=2", "demo", "wait"]);
    assert.equal((await bench.run(["ps", "-a", "-f", "label=x=1", "--format", "{{.Names}}"])).stdout, "aa\n");
    assert.equal((await bench.run(["ps", "-f", "status=created", "--format", "{{.Names}}"])).stdout, "aa\n");
    assert.equal((await bench.run(["ps", "-l", "--format", "{{.Names}}"])).stdout, "bb\n");
    assert.equal(JSON.parse((await bench.run(["ps", "--format", "json"])).stdout).Names, "bb");
    assert.match((await bench.run(["ps", "-aq", "--no-trunc"])).stdout, /^([0-9a-f]{64}\n){2}$/);
    assert.equal((await bench.run(["ps", "--format", "{{if .ID}}x{{end}}"])).code, 125);
    assert.equal((await bench.run(["ps", "-f", "nope=1"])).code, 125);
    await bench.run(["rm", "-f", "aa", "bb"]);
  });

  test("images", async () => {
    assert.match((await bench.run(["images"])).stdout, /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\ndemo +latest +[0-9a-f]{12} /);
    assert.equal((await bench.run(["images", "--format", "{{.Repository}}:{{.Tag}}", "demo"])).stdout, "demo:latest\n");
    assert.equal((await bench.run(["images", "-q", "nope"])).stdout, "");
    assert.equal((await bench.run(["images", "-f", "reference=dem*", "--format", "{{.Repository}}"])).stdout, "demo\n");
  });

  test("inspect finds containers and images, and prints a list", async () => {
    await bench.run(["create", "--name", "seen", "-p", "8080:80", "demo"]);
    const [container, image] = JSON.parse((await bench.run(["inspect", "seen", "demo"])).stdout);
    assert.equal(container.Name, "/seen");
    assert.equal(container.State.Status, "created");
    assert.deepEqual(image.RepoTags.length, 1);
    assert.equal((await bench.run(["inspect", "-f", "{{.State.Status}} {{json .Config.Cmd}}", "seen"])).stdout, 'created ["echo","from the image"]\n');
    const partly = await bench.run(["inspect", "seen", "nope"]);
    assert.equal(partly.code, 1);
    assert.equal(JSON.parse(partly.stdout).length, 1);
    assert.match(partly.stderr, /No such object: nope/);
    await bench.run(["rm", "seen"]);
  });

  test("pull prints progress and the reference", async () => {
    const done = await bench.run(["pull", "demo"]);
    assert.match(done.stdout, /^Using default tag: latest\n/);
    assert.match(done.stdout, /docker\.io\/library\/demo:latest\n$/);
    assert.equal((await bench.run(["pull", "-q", "demo"])).stdout, "docker.io/library/demo:latest\n");
    const missing = await bench.run(["pull", "nope"]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^berth: cannot pull/);
  });

  test("stats --no-stream", async () => {
    await bench.run(["run", "-d", "--name", "busy", "demo", "wait"]);
    assert.match((await bench.run(["stats", "--no-stream", "busy"])).stdout, /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT .*\n[0-9a-f]{12} +busy +[\d.]+%/);
    await bench.run(["rm", "-f", "busy"]);
  });
});

describe("help, usage and versions", () => {
  test("help names every command; an unknown one is told", async () => {
    const help = await bench.run(["--help"]);
    assert.equal(help.code, 0);
    for (const name of ["run", "ps", "logs", "exec", "stop", "kill", "rm", "wait", "inspect", "stats", "pull", "images", "version", "info", "doctor"]) {
      assert.match(help.stdout, new RegExp(`^ {2}${name} `, "m"));
    }
    const unknown = await bench.run(["nope"]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /^berth: unknown command 'nope'/);
    assert.match((await bench.run(["help", "run"])).stdout, /^Usage: berth run/);
    assert.match((await bench.run(["run", "--help"])).stdout, /--memory-swap/);
  });

  test("version and info", async () => {
    assert.match((await bench.run(["--version"])).stdout, /^berth version \d/);
    assert.match((await bench.run(["version"])).stdout, /Version: /);
    assert.match((await bench.run(["info"])).stdout, /^Backend: mock$/m);
    assert.equal((await bench.run(["info", "-f", "{{.backend}}"])).stdout, "mock\n");
  });

  test("no stack without --debug", async () => {
    assert.equal((await bench.run(["logs", "nope"])).stderr, "berth: No such container: nope\n");
    assert.match((await bench.run(["--debug", "logs", "nope"])).stderr, /\n {4}at /);
  });
});
