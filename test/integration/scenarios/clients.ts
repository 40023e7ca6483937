/** What programs do: docker-py, docker-compose, dockerode, testcontainers. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import Docker from "dockerode";
import { runCommand } from "../../support/docker-cli.ts";
import { type Scenario, type ScenarioContext, until } from "../../support/scenarios.ts";

/** Debian's Python has Debian's docker-py; elsewhere it may have come by pip. */
const python = existsSync("/usr/lib/python3/dist-packages/docker") ? "/usr/bin/python3" : "python3";

const composeFile = (image: string): string => `
version: "3.7"
services:
  store:
    image: ${image}
    command: ["sh", "-c", "echo stored > /data/file; while :; do nc -l -p 80 -e cat /data/file; done"]
    volumes: ["data:/data"]
    healthcheck: { test: ["CMD", "test", "-e", "/data/file"], interval: 500ms, retries: 20 }
  asker:
    image: ${image}
    command: ["sh", "-c", "until nc store 80 </dev/null | grep stored; do sleep 0.2; done; sleep 1000"]
    depends_on: [store]
    environment: { MODE: test }
volumes: { data: {} }
`;

async function compose(t: ScenarioContext, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand("docker-compose", ["--no-ansi", "-p", t.name.replace("-", ""), ...args], {
    cwd: t.directory,
    env: { DOCKER_HOST: t.endpoint, COMPOSE_INTERACTIVE_NO_CLI: "1" },
  });
  assert.equal(code, 0, `docker-compose ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

function collect(docker: Docker, stream: NodeJS.ReadableStream): { stdout(): string; stderr(): string; ended: Promise<void> } {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const texts = { stdout: "", stderr: "" };
  stdout.on("data", (bytes: Buffer) => (texts.stdout += bytes.toString()));
  stderr.on("data", (bytes: Buffer) => (texts.stderr += bytes.toString()));
  docker.modem.demuxStream(stream, stdout, stderr);
  const ended = new Promise<void>((resolve) => {
    stream.once("end", () => resolve());
    stream.once("close", () => resolve());
  });
  return { stdout: () => texts.stdout, stderr: () => texts.stderr, ended };
}

export const clientScenarios: readonly Scenario[] = [
  {
    name: "docker-py: run, exec, logs, stats, archives, networks, volumes, images",
    run: async (t) => {
      const script = join(import.meta.dirname, "docker_py.py");
      const { code, stdout, stderr } = await runCommand(python, [script], { env: { DOCKER_HOST: t.endpoint, IMAGE: t.image, NAME: t.name } });
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "ok\n");
    },
  },
  {
    name: "docker-compose: up, names, health, exec, change, down",
    run: async (t) => {
      const file = join(t.directory, "docker-compose.yml");
      writeFileSync(file, composeFile(t.image));
      await compose(t, "up", "-d");
      await until("the answer of one service in the log of the other", async () => (await compose(t, "logs", "asker")).includes("stored"));
      await until("health", async () => (await compose(t, "ps")).includes("(healthy)"));
      assert.match(await compose(t, "exec", "-T", "asker", "sh", "-c", "echo $MODE"), /^test/);
      writeFileSync(file, composeFile(t.image).replace("MODE: test", "MODE: changed"));
      await compose(t, "up", "-d");
      assert.match(await compose(t, "exec", "-T", "asker", "sh", "-c", "echo $MODE"), /^changed/);
      await compose(t, "down", "-v", "-t", "0");
      assert.equal(await t.ok(["ps", "-aq", "--filter", `label=com.docker.compose.project=${t.name.replace("-", "")}`]), "");
    },
  },
  {
    name: "dockerode: attach, exec with input, logs, events, archives",
    run: async (t) => {
      const docker = new Docker({ socketPath: t.socket });
      const container = await docker.createContainer({
        Image: t.image,
        name: t.name,
        Cmd: ["sh", "-c", "read line; echo got $line; sleep 1000"],
        OpenStdin: true,
        Tty: false,
      });
      const attached = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
      const output = collect(docker, attached);
      await container.start();
      attached.write("hello\n");
      await until("the answer", () => output.stdout() === "got hello\n");
      const exec = await container.exec({ Cmd: ["sh", "-c", "cat; echo done >&2; exit 9"], AttachStdin: true, AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({ hijack: true, stdin: true });
      const said = collect(docker, stream);
      stream.end("typed");
      await said.ended;
      assert.deepEqual([said.stdout(), said.stderr()], ["typed", "done\n"]);
      assert.equal((await exec.inspect()).ExitCode, 9);
      const logs = await container.logs({ stdout: true, stderr: true, follow: false });
      assert.ok(logs.toString("utf8").includes("got hello"));
      const archive = await container.getArchive({ path: "/etc/passwd" });
      let bytes = 0;
      for await (const chunk of archive) bytes += chunk.length;
      assert.ok(bytes > 512);
      const info = await container.inspect();
      assert.equal(info.State.Running, true);
      assert.equal(info.Config.OpenStdin, true);
      const waiting = container.wait({ condition: "removed" });
      await container.remove({ force: true });
      assert.equal((await waiting).StatusCode, 137);
      await assert.rejects(container.inspect(), (error: { statusCode?: number }) => error.statusCode === 404);
    },
  },
  {
    name: "testcontainers: a container with a port, waited for, looked into, thrown away",
    run: async (t) => {
      process.env["DOCKER_HOST"] = t.endpoint;
      process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
      const { GenericContainer, Wait } = await import("testcontainers");
      const container = await new GenericContainer(t.image)
        .withCommand(["sh", "-c", "echo ready; while :; do echo served | nc -l -p 80; done"])
        .withExposedPorts(80)
        .withEnvironment({ A: "b" })
        .withCopyContentToContainer([{ content: "copied", target: "/tmp/file" }])
        .withWaitStrategy(Wait.forLogMessage("ready"))
        .withStartupTimeout(60_000)
        .start();
      assert.ok(container.getMappedPort(80) > 0);
      const { exitCode, output } = await container.exec(["sh", "-c", "echo $A; cat /tmp/file"]);
      assert.deepEqual({ exitCode, output }, { exitCode: 0, output: "b\ncopied" });
      await container.restart();
      await container.stop();
    },
  },
];
