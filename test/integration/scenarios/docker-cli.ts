/** What people type. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startCommand } from "../../support/docker-cli.ts";
import { type Scenario, type ScenarioContext, until } from "../../support/scenarios.ts";

const forever = ["sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"];

interface Following {
  /** What it has said so far. */
  text(): string;
  type(input: string): void;
  stop(): Promise<void>;
  readonly ended: Promise<number>;
}

/** Runs a command whose output is looked at while it goes on. */
function follow(t: ScenarioContext, args: readonly string[]): Following {
  const child = startCommand("docker", args, { env: { DOCKER_HOST: t.endpoint } });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  child.stderr.setEncoding("utf8").on("data", (more: string) => (text += more));
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 137)));
  return {
    text: () => text,
    type: (input) => void child.stdin.write(input),
    ended,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export const dockerCliScenarios: readonly Scenario[] = [
  {
    name: "run: exit code, channels and input are the program's",
    run: async (t) => {
      const failed = await t.docker(["run", "--rm", t.image, "sh", "-c", "echo out; echo err >&2; exit 42"]);
      assert.deepEqual(failed, { code: 42, stdout: "out\n", stderr: "err\n" });
      assert.equal(await t.ok(["run", "--rm", "-i", t.image, "wc", "-c"], { stdin: "x".repeat(300_000) }), "300000");
      const missing = await t.docker(["run", "--rm", t.image, "no-such-program"]);
      assert.equal(missing.code, 127);
      assert.match(missing.stderr, /executable file not found/);
      assert.equal(await t.ok(["ps", "-aq", "--filter", `ancestor=${t.image}`, "--filter", "status=created"]), "");
    },
  },
  {
    name: "run -d, ps, logs -f, stop, start, rm",
    run: async (t) => {
      const id = await t.ok(["run", "-d", "--name", t.name, "-l", `scenario=${t.name}`, t.image, ...forever]);
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.match(await t.ok(["ps", "--filter", `label=scenario=${t.name}`, "--format", "{{.Names}} {{.Status}}"]), new RegExp(`^${t.name} Up `));
      const logs = follow(t, ["logs", "-f", t.name]);
      await until("the log's first line", () => logs.text() === "ready\n");
      assert.equal(await t.ok(["stop", t.name]), t.name);
      assert.equal(await logs.ended, 0);
      assert.equal(await t.ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", t.name]), "exited 0");
      assert.equal(await t.ok(["start", t.name]), t.name);
      await until("two lines", async () => (await t.ok(["logs", t.name])) === "ready\nready");
      assert.equal(await t.ok(["logs", "--tail", "1", t.name]), "ready");
      assert.match(await t.ok(["logs", "-t", "--tail", "1", t.name]), /^\d{4}-\d\d-\d\dT[\d:.]+Z ready$/);
      const refused = await t.docker(["rm", t.name]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /cannot remove container|You cannot remove a running container/);
      assert.equal(await t.ok(["rm", "-f", t.name]), t.name);
      assert.match((await t.docker(["start", t.name])).stderr, new RegExp(`No such container: ${t.name}`));
    },
  },
  {
    name: "exec: exit code, input, environment, user, directory, detached",
    run: async (t) => {
      await t.ok(["run", "-d", "--name", t.name, "-e", "A=b", t.image, ...forever]);
      assert.deepEqual(await t.docker(["exec", t.name, "sh", "-c", "echo $A; echo err >&2; exit 7"]), { code: 7, stdout: "b\n", stderr: "err\n" });
      assert.equal(await t.ok(["exec", "-i", t.name, "cat"], { stdin: "piped" }), "piped");
      assert.equal(await t.ok(["exec", "-w", "/tmp", "-u", "65534", "-e", "C=d", t.name, "sh", "-c", "pwd; id -u; echo $C"]), "/tmp\n65534\nd");
      await t.ok(["exec", "-d", t.name, "touch", "/tmp/detached"]);
      await until("the detached process", async () => (await t.docker(["exec", t.name, "test", "-e", "/tmp/detached"])).code === 0);
      await t.ok(["stop", t.name]);
      const stopped = await t.docker(["exec", t.name, "true"]);
      assert.equal(stopped.code, 1);
      assert.match(stopped.stderr, /is not running/);
      await t.ok(["rm", t.name]);
    },
  },
  {
    name: "attach shows what comes and ends with the container's exit code",
    run: async (t) => {
      await t.ok(["run", "-di", "--name", t.name, t.image, "sh", "-c", "read line; echo got $line; sleep 1; exit 3"]);
      const attached = follow(t, ["attach", t.name]);
      // Input stays open: at its end dockerd would close the output, too.
      attached.type("hello\n");
      assert.equal(await attached.ended, 3);
      assert.equal(attached.text(), "got hello\n");
      await t.ok(["rm", t.name]);
    },
  },
  {
    name: "cp in both directions, and as a tar",
    run: async (t) => {
      mkdirSync(join(t.directory, "in", "sub"), { recursive: true });
      writeFileSync(join(t.directory, "in", "sub", "file"), "content");
      await t.ok(["create", "--name", t.name, t.image, "true"]);
      await t.ok(["cp", join(t.directory, "in"), `${t.name}:/tmp/copied`]);
      await t.ok(["cp", `${t.name}:/tmp/copied`, join(t.directory, "out")]);
      assert.equal(readFileSync(join(t.directory, "out", "sub", "file"), "utf8"), "content");
      const missing = await t.docker(["cp", `${t.name}:/not-there`, "-"]);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /Could not find the file \/not-there in container/);
      assert.match(await t.ok(["diff", t.name]), /^A \/tmp\/copied$/m);
      await t.ok(["rm", t.name]);
    },
  },
  {
    name: "volumes keep their content; one in use stays",
    run: async (t) => {
      assert.equal(await t.ok(["volume", "create", "--label", "a=b", t.name]), t.name);
      await t.ok(["run", "--rm", "-v", `${t.name}:/data`, t.image, "sh", "-c", "echo kept > /data/file"]);
      await t.ok(["create", "--name", t.name, "-v", `${t.name}:/data:ro`, t.image, "cat", "/data/file"]);
      const refused = await t.docker(["volume", "rm", t.name]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /volume is in use/);
      assert.equal(await t.ok(["start", "-a", t.name]), "kept");
      assert.equal(
        await t.ok(["inspect", "-f", "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}", t.name]),
        `volume ${t.name} /data false`,
      );
      assert.equal(await t.ok(["volume", "ls", "-q", "--filter", `name=${t.name}`, "--filter", "label=a=b"]), t.name);
      await t.ok(["rm", t.name]);
      assert.equal(await t.ok(["volume", "rm", t.name]), t.name);
      assert.match((await t.docker(["volume", "inspect", t.name])).stderr, /no such volume/);
    },
  },
  {
    name: "a network of one's own: names, aliases, connect and disconnect",
    run: async (t) => {
      const network = `${t.name}-net`;
      await t.ok(["network", "create", "--label", "a=b", network]);
      await t.ok(["run", "-d", "--name", t.name, "--network", network, "--network-alias", "other", t.image, ...forever]);
      for (const name of [t.name, "other"]) await t.ok(["run", "--rm", "--network", network, t.image, "ping", "-c", "1", "-w", "20", name]);
      assert.equal(await t.ok(["network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", network]), t.name);
      assert.notEqual((await t.docker(["network", "rm", network])).code, 0);
      await t.ok(["network", "connect", "bridge", t.name]);
      assert.match(
        await t.ok(["inspect", "-f", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", t.name]),
        new RegExp(`bridge ${network} |${network} bridge `),
      );
      await t.ok(["network", "disconnect", network, t.name]);
      await t.ok(["network", "rm", network]);
      await t.ok(["rm", "-f", t.name]);
    },
  },
  {
    name: "a published port is reached from the host, and is taken only once",
    run: async (t) => {
      await t.ok(["run", "-d", "--name", t.name, "-p", "127.0.0.1::80", t.image, "sh", "-c", "while :; do echo served | nc -l -p 80; done"]);
      const place = await t.ok(["port", t.name, "80/tcp"]);
      assert.match(place, /^127\.0\.0\.1:\d+$/);
      const [host = "", port = ""] = place.split(":");
      await until("an answer", async () => (await t.docker(["run", "--rm", "--network", "host", t.image, "nc", "-w", "5", host, port])).stdout === "served\n");
      const second = await t.docker(["run", "--rm", "-p", `${place}:80`, t.image, "true"]);
      assert.equal(second.code, 125);
      assert.match(second.stderr, /port is already allocated/);
      await t.ok(["rm", "-f", t.name]);
    },
  },
  {
    name: "health checks are run and shown",
    run: async (t) => {
      const check = ["--health-cmd", "test -e /tmp/well", "--health-interval", "500ms", "--health-retries", "1", "--health-start-period", "1ms"];
      await t.ok(["run", "-d", "--name", t.name, ...check, t.image, ...forever]);
      const status = (): Promise<string> => t.ok(["inspect", "-f", "{{.State.Health.Status}}", t.name]);
      await until("unhealthy", async () => (await status()) === "unhealthy");
      await t.ok(["exec", t.name, "touch", "/tmp/well"]);
      await until("healthy", async () => (await status()) === "healthy");
      assert.match(await t.ok(["ps", "--filter", `name=${t.name}`, "--format", "{{.Status}}"]), /\(healthy\)$/);
      await t.ok(["rm", "-f", t.name]);
    },
  },
  {
    name: "a restart policy starts again, and a stop ends that",
    run: async (t) => {
      await t.ok(["run", "-d", "--name", t.name, "--restart", "on-failure:2", t.image, "sh", "-c", "echo run; exit 5"]);
      await until("the last attempt", async () => (await t.ok(["inspect", "-f", "{{.RestartCount}} {{.State.Status}}", t.name])) === "2 exited");
      assert.equal(await t.ok(["logs", t.name]), "run\nrun\nrun");
      await t.ok(["rm", t.name]);
      await t.ok(["run", "-d", "--name", t.name, "--restart", "always", t.image, ...forever]);
      await t.ok(["stop", t.name]);
      assert.equal(await t.ok(["inspect", "-f", "{{.State.Status}}", t.name]), "exited");
      await t.ok(["rm", t.name]);
    },
  },
  {
    name: "restart keeps the container, its files and its place in the events",
    run: async (t) => {
      await t.ok(["run", "-d", "--name", t.name, t.image, "sh", "-c", "echo run >> /runs; cat /runs; trap 'exit 0' TERM; while :; do sleep 0.1; done"]);
      await until("the first run", async () => (await t.ok(["logs", t.name])) === "run");
      assert.equal(await t.ok(["restart", "-t", "5", t.name]), t.name);
      await until("the second run", async () => (await t.ok(["logs", "--tail", "2", t.name])) === "run\nrun");
      const now = await t.ok(["run", "--rm", t.image, "date", "+%s"]);
      const told = await t.ok(["events", "--since", "10m", "--until", `${Number(now) + 1}`, "--filter", `container=${t.name}`, "--format", "{{.Action}}"]);
      assert.match(told, /\ndie\n(?:.*\n)*start\nrestart$/);
      await t.ok(["rm", "-f", t.name]);
    },
  },
  {
    name: "resolver settings, the host's name, a range of host ports, no health check",
    run: async (t) => {
      const resolver = ["--dns", "192.0.2.1", "--dns-search", "one.example", "--dns-option", "ndots:3"];
      const file = (await t.ok(["run", "--rm", ...resolver, t.image, "cat", "/etc/resolv.conf"])).split("\n");
      for (const line of ["nameserver 192.0.2.1", "search one.example", "options ndots:3"]) assert.ok(file.includes(line), file.join("\n"));
      assert.equal(await t.ok(["run", "--rm", "--uts", "host", t.image, "readlink", "/proc/self/ns/uts"]), readlinkSync("/proc/self/ns/uts"));
      const names = [`${t.name}-a`, `${t.name}-b`];
      for (const name of names) await t.ok(["run", "-d", "--name", name, "-p", "127.0.0.1:18080-18081:80", t.image, ...forever]);
      assert.deepEqual(await Promise.all(names.map((name) => t.ok(["port", name, "80/tcp"]))), ["127.0.0.1:18080", "127.0.0.1:18081"]);
      await t.ok(["commit", "-c", "HEALTHCHECK --interval=1s CMD true", names[0] ?? "", `${t.name}:health`]);
      await t.ok(["rm", "-f", ...names]);
      await t.ok(["create", "--name", t.name, "--no-healthcheck", `${t.name}:health`, ...forever]);
      await t.ok(["start", t.name]);
      assert.equal(await t.ok(["inspect", "-f", "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", t.name]), "none");
      await t.ok(["rm", "-f", t.name]);
      await t.ok(["rmi", `${t.name}:health`]);
    },
  },
  {
    name: "events tell a container's life in order",
    run: async (t) => {
      const events = follow(t, ["events", "--filter", `container=${t.name}`, "--format", "{{.Type}} {{.Action}}"]);
      await t.ok(["events", "--since", "1s", "--until", "0s"]).catch(() => {});
      const marker = `${t.name}-marker`;
      const seen = follow(t, ["events", "--filter", "type=container", "--format", "{{.Actor.Attributes.name}}"]);
      await until("the event stream is open", async () => {
        await t.ok(["run", "--rm", "--name", marker, t.image, "true"]);
        return seen.text().includes(marker);
      });
      await seen.stop();
      await t.ok(["run", "--rm", "--name", t.name, t.image, "true"]);
      await until("the removal", () => events.text().includes("container destroy"));
      await events.stop();
      const actions = events
        .text()
        .trim()
        .split("\n")
        .map((line) => line.replace("container ", ""));
      const order = ["create", "attach", "start", "die", "destroy"].filter((action) => actions.includes(action));
      assert.deepEqual(order, ["create", "attach", "start", "die", "destroy"]);
      for (const [before, after] of [
        ["create", "start"],
        ["start", "die"],
        ["die", "destroy"],
      ] as const) {
        assert.ok(actions.indexOf(before) < actions.indexOf(after), `${before} before ${after}: ${actions.join(" ")}`);
      }
    },
  },
  {
    name: "tag, save, rmi, load, history, commit",
    run: async (t) => {
      const tag = `${t.name}:1`;
      await t.ok(["tag", t.image, tag]);
      const file = join(t.directory, "image.tar");
      await t.ok(["save", "-o", file, tag]);
      assert.match(await t.ok(["rmi", tag]), new RegExp(`Untagged: ${tag}`));
      assert.equal((await t.docker(["image", "inspect", tag])).code, 1);
      assert.match(await t.ok(["load", "-i", file]), new RegExp(`Loaded image: ${tag}`));
      await t.ok(["history", tag]);
      await t.ok(["run", "--name", t.name, tag, "sh", "-c", "echo changed > /file"]);
      assert.match(await t.ok(["commit", "-c", 'CMD ["cat","/file"]', t.name, `${t.name}:2`]), /^sha256:[0-9a-f]{64}$/);
      assert.equal(await t.ok(["run", "--rm", `${t.name}:2`]), "changed");
      await t.ok(["rm", t.name]);
      await t.ok(["rmi", `${t.name}:1`, `${t.name}:2`]);
    },
  },
  {
    name: "login to a registry with a password, pull, push, logout",
    run: async (t) => {
      const { host, image, username, password } = t.guarded;
      const env = { DOCKER_CONFIG: join(t.directory, "config") };
      const anonymous = await t.docker(["pull", image], { env });
      assert.equal(anonymous.code, 1);
      const wrong = await t.docker(["login", "-u", username, "--password-stdin", host], { env, stdin: "wrong" });
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /unauthorized|401/i);
      assert.match(await t.ok(["login", "-u", username, "--password-stdin", host], { env, stdin: password }), /Login Succeeded/);
      assert.match(await t.ok(["pull", image], { env }), /Downloaded newer image|up to date/);
      await t.ok(["tag", image, `${host}/pushed-${t.name}:1`]);
      assert.match(await t.ok(["push", `${host}/pushed-${t.name}:1`], { env }), /digest: sha256:[0-9a-f]{64}/);
      await t.ok(["logout", host], { env });
      await t.ok(["rmi", image, `${host}/pushed-${t.name}:1`]);
    },
  },
  {
    name: "pause, rename, top, update, kill, wait, prune",
    run: async (t) => {
      await t.ok(["run", "-d", "--name", t.name, t.image, ...forever]);
      await t.ok(["pause", t.name]);
      assert.equal(await t.ok(["inspect", "-f", "{{.State.Status}} {{.State.Paused}}", t.name]), "paused true");
      assert.match((await t.docker(["exec", t.name, "true"])).stderr, /is paused/);
      await t.ok(["unpause", t.name]);
      const other = `${t.name}-b`;
      await t.ok(["rename", t.name, other]);
      assert.match(await t.ok(["top", other]), /sleep|sh /);
      const taken = await t.docker(["create", "--name", other, t.image]);
      assert.match(taken.stderr, /Conflict. The container name "\/.*" is already in use by container/);
      // The old name is free again while its first owner is still there.
      await t.ok(["create", "--name", t.name, "-l", t.name, t.image, "true"]);
      await t.ok(["kill", "-s", "KILL", other]);
      assert.equal(await t.ok(["wait", other]), "137");
      assert.match((await t.docker(["kill", other])).stderr, /is not running/);
      await t.ok(["rm", other]);
      assert.match(await t.ok(["container", "prune", "-f", "--filter", `label=${t.name}`]), /Deleted Containers|Total reclaimed/);
      assert.equal(await t.ok(["ps", "-aq", "--filter", `label=${t.name}`]), "");
    },
  },
  {
    name: "version, info and what is not there",
    run: async (t) => {
      assert.match(await t.ok(["version", "-f", "{{.Server.APIVersion}}"]), /^1\.\d\d$/);
      assert.equal(await t.ok(["info", "-f", "{{.OSType}} {{.Swarm.LocalNodeState}}"]), "linux inactive");
      for (const args of [
        ["service", "ls"],
        ["node", "ls"],
        ["secret", "ls"],
      ])
        assert.match((await t.docker(args)).stderr, /not a swarm manager/);
      assert.match((await t.docker(["logs", "no-such-one"])).stderr, /No such container: no-such-one/);
      assert.match((await t.docker(["image", "inspect", "no-such-image"])).stderr, /No such image: no-such-image:latest/);
      assert.match((await t.docker(["network", "inspect", "no-such-net"])).stderr, /network no-such-net not found/);
      assert.match(await t.ok(["system", "df", "--format", "{{.Type}}"]), /Images\nContainers\nLocal Volumes/);
    },
  },
];
