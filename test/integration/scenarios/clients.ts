/** What programs do: docker-py, docker-compose, dockerode, testcontainers. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
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

function pythonEnvironment({ endpoint, image, name, guarded }: ScenarioContext): Readonly<Record<string, string>> {
  const repository = guarded.image.slice(0, guarded.image.lastIndexOf(":"));
  const account = { ACCOUNT: guarded.username, PASSWORD: guarded.password };
  return { DOCKER_HOST: endpoint, IMAGE: image, NAME: name, GUARDED: repository, ...account };
}

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

function useEngine(t: ScenarioContext): void {
  process.env["DOCKER_HOST"] = t.endpoint;
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
}

function actionOf(line: string): string {
  const event: unknown = JSON.parse(line);
  return typeof event === "object" && event !== null && "Action" in event ? String(event.Action) : "";
}

async function saveAndLoad(docker: Docker, t: ScenarioContext): Promise<void> {
  const tag = `${t.name}:saved`;
  await docker.getImage(t.image).tag({ repo: t.name, tag: "saved" });
  const archive = await buffer(await docker.getImage(tag).get());
  await docker.getImage(tag).remove();
  await finished(docker, await docker.loadImage(Readable.from([archive])));
  assert.ok((await docker.getImage(tag).inspect()).RepoTags.includes(tag));
  await docker.getImage(tag).remove();
}

async function pullWithPassword(docker: Docker, { guarded }: ScenarioContext): Promise<void> {
  const { host: serveraddress, username, password, image } = guarded;
  await assert.rejects(async () => finished(docker, await docker.pull(image)));
  assert.equal((await docker.checkAuth({ username, password, serveraddress })).Status, "Login Succeeded");
  await finished(docker, await docker.pull(image, { authconfig: { username, password, serveraddress } }));
  await docker.getImage(image).remove();
}

/** Reads the engine's progress to its end; an error in it rejects. */
function finished(docker: Docker, stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => docker.modem.followProgress(stream, (error: Error | null) => (error ? reject(error) : resolve())));
}

export const clientScenarios: readonly Scenario[] = [
  {
    name: "docker-py: run, exec, attach, logs, stats, archives, networks, volumes, health, restart, events, images, login",
    run: async (t) => {
      const script = join(import.meta.dirname, "docker_py.py");
      const { code, stdout, stderr } = await runCommand(python, [script], { env: pythonEnvironment(t) });
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "ok\n");
    },
  },
  {
    name: "docker-compose: up, names, health, exec, restart, change, down",
    run: async (t) => {
      const file = join(t.directory, "docker-compose.yml");
      writeFileSync(file, composeFile(t.image));
      await compose(t, "up", "-d");
      await until("the answer of one service in the log of the other", async () => (await compose(t, "logs", "asker")).includes("stored"));
      await until("health", async () => (await compose(t, "ps")).includes("(healthy)"));
      assert.match(await compose(t, "exec", "-T", "asker", "sh", "-c", "echo $MODE"), /^test/);
      await compose(t, "restart", "-t", "0", "store");
      await compose(t, "exec", "-T", "asker", "sh", "-c", "until nc store 80 </dev/null | grep stored; do sleep 0.2; done");
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
    name: "dockerode: a network with names, volumes, health, restart, events, save and load, a registry with a password",
    run: async (t) => {
      const docker = new Docker({ socketPath: t.socket });
      const actions: string[] = [];
      const events = await docker.getEvents({ filters: { container: [t.name] } });
      events.on("data", (line: Buffer) => actions.push(...line.toString().trim().split("\n").map(actionOf)));
      const network = await docker.createNetwork({ Name: `${t.name}-net` });
      await docker.createVolume({ Name: t.name });
      const container = await docker.createContainer({
        Image: t.image,
        name: t.name,
        Cmd: ["sh", "-c", "echo run >> /data/runs; sleep 1000"],
        Healthcheck: { Test: ["CMD-SHELL", "test -e /data/runs"], Interval: 500_000_000, Retries: 30 },
        HostConfig: { Binds: [`${t.name}:/data`], NetworkMode: `${t.name}-net`, RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } },
      });
      await container.start();
      await until("health", async () => (await container.inspect()).State.Health?.Status === "healthy");
      await container.restart({ t: 0 });
      const out = new PassThrough();
      const once = { Tty: true, HostConfig: { NetworkMode: `${t.name}-net`, Binds: [`${t.name}:/data:ro`], AutoRemove: true } };
      const [result] = await docker.run(t.image, ["sh", "-c", `ping -c 1 -w 20 ${t.name} >/dev/null && cat /data/runs`], out, once);
      assert.equal(result.StatusCode, 0);
      assert.equal(String(out.read()).replaceAll("\r", ""), "run\nrun\n");
      await container.remove({ force: true });
      await network.remove();
      await docker.getVolume(t.name).remove();
      await until("the events", () => actions.includes("destroy"));
      (events as NodeJS.ReadableStream & { destroy(): void }).destroy();
      for (const action of ["create", "start", "health_status: healthy", "die", "restart", "destroy"]) assert.ok(actions.includes(action), actions.join(", "));
      await saveAndLoad(docker, t);
      await pullWithPassword(docker, t);
    },
  },
  {
    name: "testcontainers: a network with names, health, a file of the host",
    run: async (t) => {
      useEngine(t);
      writeFileSync(join(t.directory, "page"), "from the host\n");
      const { GenericContainer, Network, Wait } = await import("testcontainers");
      await using network = await new Network().start();
      await using server = await new GenericContainer(t.image)
        .withCommand(["sh", "-c", "while :; do nc -l -p 80 -e cat /page; done"])
        .withNetwork(network)
        .withNetworkAliases("server")
        .withBindMounts([{ source: join(t.directory, "page"), target: "/page", mode: "ro" }])
        .withHealthCheck({ test: ["CMD-SHELL", "test -e /page"], interval: 500, timeout: 5000, retries: 30 })
        .withWaitStrategy(Wait.forHealthCheck())
        .start();
      await using client = await new GenericContainer(t.image).withCommand(["sleep", "1000"]).withNetwork(network).start();
      const asked = await client.exec(["sh", "-c", "until nc server 80 </dev/null; do sleep 0.2; done"]);
      assert.match(asked.output, /from the host\n$/);
      assert.equal((await server.exec(["sh", "-c", "exit 7"])).exitCode, 7);
    },
  },
  {
    name: "testcontainers: a container with a port, waited for, looked into, thrown away",
    run: async (t) => {
      useEngine(t);
      const { GenericContainer, Wait } = await import("testcontainers");
      await using container = await new GenericContainer(t.image)
        // Said again and again: dockerd notes the start a moment after the program has begun, and what came before is left out of the log since then.
        .withCommand(["sh", "-c", "while :; do echo ready; sleep 0.2; done & while :; do echo served | nc -l -p 80; done"])
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
    },
  },
];
