/** Fields of contract 1.3.1 and 1.3.7, seen from inside: user, environment, directory, terminal, init, host name. */
import assert from "node:assert/strict";
import type { ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { eventually, rejectsWith } from "./expect.ts";

const whoami = "echo $(id -u):$(id -g) $(id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' ')";

const users: readonly (readonly [string, string])[] = [
  ["0", "0:0 0"],
  ["1000", "1000:1000 10 44 1000"],
  ["alice", "1000:1000 10 44 1000"],
  ["bob", "1001:1002 1002"],
  ["alice:audio", "1000:29 29"],
  ["1000:29", "1000:29 29"],
  ["4711", "4711:0 0"],
  ["4711:4712", "4711:4712 4712"],
];

export const processFieldCases: readonly ContractCase[] = [
  ...users.map(
    ([user, expected]): ContractCase => ({
      name: `user ${user} is looked up in the container's own files`,
      needs: ["kernel"],
      run: async (t) => assert.equal((await t.shell(whoami, { user })).trim(), expected),
    }),
  ),
  {
    name: "without a user the image's is taken, and root when it says none",
    needs: ["kernel"],
    run: async (t) => {
      assert.equal((await t.shell("id -un")).trim(), "root");
      assert.equal((await t.shell("id -un", { image: t.images.configured, command: { entrypoint: programs.shell("id -un") } })).trim(), "alice");
    },
  },
  ...["stranger", "alice:strangers"].map(
    (user): ContractCase => ({
      name: `the unknown user ${user} is an error and never root`,
      needs: ["kernel"],
      run: async (t) => {
        const id = t.newId();
        const started = (async () => {
          await t.create({ user, argv: programs.shell("id -u; exit 99") }, id);
          await t.runtime.startContainer(id);
        })();
        await assert.rejects(started, (error: Error) => error.message.includes("stranger"));
      },
    }),
  ),
  {
    name: "extra groups by name and number are added",
    needs: ["kernel"],
    run: async (t) => {
      const groups = (await t.shell("id -G", { user: "bob", extraGroups: ["audio", "777"] })).trim().split(" ");
      assert.deepEqual(groups.sort(), ["1002", "29", "777"]);
    },
  },
  {
    name: "environment: the spec's variables win over the image's, the rest has its defaults",
    needs: [],
    run: async (t) => {
      const names = ["DEMO", "MINE", "EMPTY", "NONE", "TERM"].map(step.env);
      const { stdout } = await t.finish({ argv: program(...names), env: { DEMO: "spec", MINE: "a=b 'c' \"d\" $e\n", EMPTY: "" } });
      assert.equal(stdout, "DEMO=spec\nMINE=a=b 'c' \"d\" $e\n\nEMPTY=\nNONE is unset\nTERM is unset\n");
    },
  },
  {
    name: "PATH, HOSTNAME, HOME and with a terminal TERM have defaults",
    needs: [],
    run: async (t) => {
      const { stdout } = await t.finish({
        argv: program(...["PATH", "HOSTNAME", "HOME", "TERM"].map(step.env)),
        hostname: "box",
        tty: true,
        networkMode: "bridge",
      });
      assert.deepEqual(stdout.replaceAll("\r", "").trim().split("\n"), [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=box",
        "HOME=/root",
        "TERM=xterm",
      ]);
    },
  },
  {
    name: "HOME is that of the user",
    needs: ["kernel"],
    run: async (t) => assert.equal(await t.shell("echo $HOME", { user: "alice" }), "/home/alice"),
  },
  {
    name: "the engine's own environment does not leak into a container",
    needs: ["kernel"],
    run: async (t) => {
      const names = (await t.shell("env")).split("\n").map((line) => line.split("=")[0]);
      const expected = ["DEMO", "HOME", "HOSTNAME", "OLDPWD", "PATH", "PWD", "SHLVL"];
      assert.deepEqual(
        names.filter((name) => !expected.includes(name ?? "")),
        [],
      );
    },
  },
  {
    name: "the working directory is the spec's, else the image's, else the root",
    needs: [],
    run: async (t) => {
      const where = program(step.workdir());
      assert.equal((await t.finish({ argv: where })).stdout, "/\n");
      assert.equal((await t.finish({ argv: where, command: { workdir: "/tmp" } })).stdout, "/tmp\n");
      assert.equal((await t.finish({ image: t.images.configured, command: { entrypoint: where } })).stdout, "/demo/work\n");
    },
  },
  {
    name: "a working directory that is missing is made",
    needs: ["kernel"],
    run: async (t) => assert.equal(await t.shell("pwd; ls -a | wc -l", { command: { workdir: "/brand/new/place" } }), "/brand/new/place\n2"),
  },
  {
    name: "tty gives a terminal, its absence none",
    needs: [],
    run: async (t) => {
      assert.match((await t.finish({ argv: program(step.isTerminal()), tty: true })).stdout, /^terminal\r?\n$/);
      assert.equal((await t.finish({ argv: program(step.isTerminal()) })).stdout, "no terminal\n");
    },
  },
  {
    name: "without stdinOpen the input is at its end, with it the program waits",
    needs: [],
    run: async (t) => {
      assert.equal((await t.finish({ argv: program(step.readLine()) })).stdout, "end of input\n");
      const id = await t.start({ argv: program(step.line("ready"), step.readLine()), stdinOpen: true });
      await t.logged(id, "ready");
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "the program is process 1, with an init it is not",
    needs: ["kernel"],
    run: async (t) => {
      assert.equal(await t.shell("echo $$"), "1");
      assert.notEqual(await t.shell("echo $$", { initContainer: true }), "1");
    },
  },
  {
    name: "an init reaps orphans, hands signals on and passes the exit code through",
    needs: ["kernel"],
    run: async (t) => {
      const script = "trap 'exit 31' TERM; (sleep 0.05 & ) ; echo ready; sleep 1000000 & while :; do wait $!; done";
      const id = await t.start({ argv: programs.shell(script), initContainer: true });
      await t.logged(id, "ready");
      const zombies = async (): Promise<string> => (await t.runtime.exec(id, programs.shell("cat /proc/[0-9]*/stat | grep -c ' Z ' || true"))).stdout.trim();
      await eventually("the orphan is reaped", async () => (await zombies()) === "0");
      await t.runtime.stopContainer(id, 3000);
      assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code: 31 });
    },
  },
  {
    name: "the host name is the spec's, in the kernel and in the files",
    needs: ["kernel"],
    run: async (t) => {
      const said = await t.shell("hostname; cat /etc/hostname; grep -c box-7 /etc/hosts", { hostname: "box-7", networkMode: "bridge" });
      assert.equal(said, "box-7\nbox-7\n1");
    },
  },
  {
    name: "without a host name it is the short id",
    needs: ["kernel", "inspectDetailed"],
    run: async (t) => {
      const { id, stdout } = await t.finish({ argv: programs.shell("hostname; echo $HOSTNAME"), networkMode: "bridge" });
      const short = (await t.runtime.inspectDetailed(id)).hexId?.slice(0, 12);
      assert.equal(stdout, `${short}\n${short}\n`);
    },
  },
  {
    name: "layers lie on one another: later files win, deleted ones are gone",
    needs: ["kernel"],
    run: async (t) => {
      assert.equal(await t.shell("cat /demo/layered.txt; ls /demo/removed.txt 2>&1 | grep -c 'No such'; ls -a /demo | grep -c '^.wh' || true"), "second\n1\n0");
      assert.equal(await t.shell("stat -c '%U %G %a' /demo/seed/hello.txt; stat -c %a /tmp /root"), "alice alice 640\n1777\n700");
    },
  },
  {
    name: "containers of one image do not see each other's files",
    needs: [],
    run: async (t) => {
      const argv = program(step.exists("/mark"), step.append("/mark", "x"));
      assert.equal((await t.finish({ argv })).stdout, "no\n");
      assert.equal((await t.finish({ argv })).stdout, "no\n");
    },
  },
  {
    name: "a spec that names no image is refused",
    needs: [],
    run: async (t) => {
      await rejectsWith("invalid_spec", t.runtime.createContainer(t.newId(), { image: "" }));
    },
  },
];
