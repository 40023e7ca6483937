import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { allocateOne, command, openWorld, tableOf, tracesOf } from "./network-world.ts";

const victim = fileURLToPath(new URL("network-victim.ts", import.meta.url));
const kills = 24;

test(`a process killed at ${kills} moments leaves only what the next one removes`, async () => {
  await using world = await openWorld();
  const pids = await Promise.all([world.container(), world.container()]);
  const { bridge } = world.stack.inspectNetwork("bridge");
  for (let kill = 0; kill < kills; kill += 1) {
    // The first rounds begin without bridge and table, so that their making is interrupted too.
    if (kill < 8) world.stack.removeIdle();
    const child = spawn(process.execPath, [victim, world.databasePath, world.uuid, ...pids.map(String)], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    await delay(kill < 8 ? kill * 5 : kill * 1.7);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));

    world.stack.detachLeftovers(new Set());
    const { links, rules } = tracesOf(world);
    assert.deepEqual(
      links.filter((name) => name !== bridge),
      [],
      `links after kill ${kill}`,
    );
    const table = rules === "" ? "" : command("nft", "list", "table", "inet", tableOf([bridge]));
    assert.doesNotMatch(table, /(tcp|udp) \. [\d. ]+:/, `ports after kill ${kill}`);
    assert.deepEqual(world.db.prepare("select count(*) count from leases").get()?.count, 0);
    assert.deepEqual(world.db.prepare("select count(*) count from port_bindings").get()?.count, 0);
  }
  // Whole again: the next start works and is reachable.
  const [pid = 0] = pids;
  const endpoint = allocateOne(world.stack, "survivor", { network: "bridge", ports: [] });
  world.stack.attach([endpoint], pid);
  await world.serve(pid, "survivor", 7000);
  assert.ok(command("ip", "-o", "addr", "show", bridge).includes(endpoint.gateway));
});
