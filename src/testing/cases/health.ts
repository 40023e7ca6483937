/** Health checks (contract 1.3.8, A-30): probed inside the container, shown in inspect and told as events. */
import assert from "node:assert/strict";
import type { HealthDetail } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { HealthSpec } from "../../spec/service-spec.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { eventually } from "./expect.ts";

async function health(t: ContractContext, id: ContainerId): Promise<HealthDetail | undefined> {
  return (await t.runtime.inspectDetailed(id)).health;
}

async function becomes(t: ContractContext, id: ContainerId, status: HealthDetail["status"]): Promise<HealthDetail> {
  await eventually(`health is ${status}`, async () => (await health(t, id))?.status === status, 15_000);
  return (await health(t, id)) ?? assert.fail("it has a health");
}

const quick = { interval: 50, timeout: "5s", startGrace: 0, retries: 2 } as const;

/** Healthy while the file is there. */
const fileCheck: HealthSpec = { ...quick, check: { type: "command", command: program(step.cat("/healthy")) } };

export const healthCases: readonly ContractCase[] = [
  {
    name: "a container is starting, then healthy, and unhealthy after so many failures in a row",
    needs: ["health"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.append("/healthy", "fine"), step.forever()), health: { ...fileCheck, retries: 3 } });
      assert.ok(["starting", "healthy"].includes((await health(t, id))?.status ?? ""));
      const healthy = await becomes(t, id, "healthy");
      assert.equal(healthy.failingStreak, 0);
      assert.equal(healthy.lastOutput, "fine");
      assert.equal(healthy.log?.at(-1)?.exitCode, 0);
      const sick = await t.start({ argv: programs.forever(), health: fileCheck });
      const unhealthy = await becomes(t, sick, "unhealthy");
      assert.ok((unhealthy.failingStreak ?? 0) >= 2);
      assert.equal(unhealthy.log?.at(-1)?.exitCode, 1);
    },
  },
  {
    name: "it recovers with one success",
    needs: ["health"],
    run: async (t) => {
      const id = await t.start({ argv: programs.forever(), health: fileCheck });
      await becomes(t, id, "unhealthy");
      await t.runtime.exec(id, programs.append("/healthy", "again"));
      await becomes(t, id, "healthy");
    },
  },
  {
    name: "failures soon after the start do not count",
    needs: ["health"],
    run: async (t) => {
      const id = await t.start({ argv: programs.forever(), health: { ...fileCheck, startGrace: "1h" } });
      await eventually("several probes failed", async () => ((await health(t, id))?.log?.length ?? 0) >= 3);
      assert.deepEqual([(await health(t, id))?.status, (await health(t, id))?.failingStreak], ["starting", 0]);
    },
  },
  {
    name: "changes of health are told, each once",
    needs: ["health", "events"],
    run: async (t) => {
      const stream = await t.runtime.extras?.events?.();
      assert.ok(stream !== undefined);
      const id = await t.start({ argv: programs.forever(), health: fileCheck });
      const changes: string[] = [];
      for await (const { containerId, action } of stream) {
        if (containerId?.service !== id.service || !action.startsWith("health_status")) continue;
        changes.push(action);
        if (changes.length === 1) await t.runtime.exec(id, programs.append("/healthy", "again"));
        else break;
      }
      assert.deepEqual(changes, ["health_status: unhealthy", "health_status: healthy"]);
    },
  },
  {
    name: "a new run begins as starting",
    needs: ["health"],
    run: async (t) => {
      const id = await t.start({ argv: programs.forever(), health: { ...fileCheck, interval: 50 } });
      await becomes(t, id, "unhealthy");
      await t.runtime.stopContainer(id, 0);
      assert.equal((await health(t, id))?.status, "unhealthy");
      await t.runtime.startContainer(id);
      assert.equal((await health(t, id))?.failingStreak, 0);
    },
  },
  {
    name: "without a check there is no health",
    needs: ["health"],
    run: async (t) => {
      const plain = await t.service();
      const none = await t.service({ health: { check: { type: "none" } } });
      assert.deepEqual([await health(t, plain), await health(t, none)], [undefined, undefined]);
    },
  },
  {
    name: "the image's check is used, with the times that are given, and left out when none shall be made",
    needs: ["health", "commitContainer"],
    run: async (t) => {
      const changes = `HEALTHCHECK --interval=1h CMD ${JSON.stringify(program(step.line("of the image")))}`;
      const { id: image } = await t.runtime.commitContainer(await t.service(), { changes });
      t.defer(async () => void (await t.runtime.removeImage(image, true)));
      const used = await t.start({ image, argv: programs.forever(), health: { ...quick, check: { type: "image" } } });
      assert.equal((await becomes(t, used, "healthy")).lastOutput, "of the image\n");
      const without = await t.start({ image, argv: programs.forever(), health: { check: { type: "none" } } });
      assert.equal(await health(t, without), undefined);
    },
  },
  {
    name: "a probe that takes too long has failed, and nothing of it is left",
    needs: ["health", "kernel"],
    run: async (t) => {
      const command = "sleep 7654 & sleep 7654";
      const id = await t.start({
        argv: programs.forever(),
        health: { ...quick, interval: 300, timeout: 300, retries: 1, check: { type: "command", command } },
      });
      const { lastOutput, log } = await becomes(t, id, "unhealthy");
      assert.match(lastOutput ?? "", /exceeded timeout/);
      assert.equal(log?.at(-1)?.exitCode, -1);
      await t.runtime.stopContainer(id, 0);
      await t.runtime.startContainer(id);
      await eventually("two further probes timed out", async () => ((await health(t, id))?.failingStreak ?? 0) >= 2, 15_000);
      const { stdout } = await t.runtime.exec(id, programs.shell("ps | grep -c '[s]leep 7654'"));
      assert.ok(Number(stdout) <= 2, `at most the probe that runs now is there, but: ${stdout}`);
    },
  },
  {
    name: "a command given as a text is for the container's shell",
    needs: ["health", "kernel"],
    run: async (t) => {
      const check = { type: "command", command: 'test "$WHO" = me && echo "it is $WHO"' } as const;
      const id = await t.start({ argv: programs.forever(), env: { WHO: "me" }, health: { ...quick, check } });
      assert.equal((await becomes(t, id, "healthy")).lastOutput, "it is me\n");
    },
  },
  {
    name: "a port and a page can be asked for",
    needs: ["health", "host-network"],
    run: async (t) => {
      const argv = programs.shell("mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www");
      const checks: HealthSpec["check"][] = [
        { type: "tcp", port: 80 },
        { type: "http", url: "http://localhost/index.html" },
      ];
      for (const check of checks) await becomes(t, await t.start({ argv, networkMode: { mode: "default" }, health: { ...quick, check } }), "healthy");
      const missing: HealthSpec["check"] = { type: "http", url: "http://localhost/missing" };
      const id = await t.start({ argv, networkMode: { mode: "default" }, health: { ...quick, retries: 1, check: missing } });
      assert.match((await becomes(t, id, "unhealthy")).lastOutput ?? "", /refused|HTTP 404, expected 200/i);
    },
  },
  {
    name: "a paused container is not probed",
    needs: ["health", "pauseContainer", "unpauseContainer"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.append("/healthy", "fine"), step.forever()), health: fileCheck });
      await becomes(t, id, "healthy");
      await t.runtime.pauseContainer(id);
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal((await health(t, id))?.status, "healthy");
      await t.runtime.unpauseContainer(id);
    },
  },
];
