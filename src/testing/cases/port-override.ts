/** Method 20: replicas of a service on the host's network. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { containerId } from "../../spec/container-id.ts";
import type { ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { rejectsWith } from "./expect.ts";

export const portOverrideCases: readonly ContractCase[] = [
  {
    name: "fifty replicas on the host's network each have a port of their own, told to their program, stable over restarts",
    needs: ["getContainerPortOverride", "reopen"],
    run: async (t) => {
      const { service } = t.newId();
      const spec = { networkMode: "host" as const, argv: program(step.env("PORT"), step.env("BERTH_PORT")) };
      const ids = await Promise.all(Array.from({ length: 50 }, (_, replica) => t.create(spec, containerId({ service, replica }))));
      const ports = await Promise.all(ids.map((id) => t.runtime.getContainerPortOverride(id)));
      if (ports[0] === undefined) return;
      assert.equal(new Set(ports).size, 50);
      assert.ok(
        ports.every((port) => port !== undefined && port > 1024 && port < 65_536),
        ports.join(" "),
      );
      const [id, port] = [ids[7], ports[7]];
      assert.ok(id !== undefined);
      for (let run = 0; run < 2; run += 1) {
        await t.runtime.startContainer(id);
        await t.runtime.waitContainer(id);
      }
      assert.equal(await t.text(id), `PORT=${port}\nBERTH_PORT=${port}\n`.repeat(2));
      assert.equal(await (await t.reopen()).getContainerPortOverride(id), port);
    },
  },
  {
    name: "a container with a network of its own has no port override, nor has one that belongs to no service",
    needs: ["getContainerPortOverride"],
    run: async (t) => {
      assert.equal(await t.runtime.getContainerPortOverride(await t.create()), undefined);
      const alone = await t.create({ networkMode: "host" }, containerId({ service: `standalone-${t.newId().service}` }));
      assert.equal(await t.runtime.getContainerPortOverride(alone), undefined);
      await rejectsWith("not_found", t.runtime.getContainerPortOverride(t.newId()));
    },
  },
  {
    name: "a replica's port that somebody else has taken fails its start by name, and a program listens on its own",
    needs: ["getContainerPortOverride", "host-network", "kernel"],
    run: async (t) => {
      const id = await t.create({ networkMode: "host", argv: programs.shell("nc -lk -p $PORT -e echo hello & echo ready; wait") });
      const port = await t.runtime.getContainerPortOverride(id);
      if (port === undefined) return;
      const taker = await listen(port);
      const error = await rejectsWith("start_failed", t.runtime.startContainer(id));
      assert.ok(error.message.includes(String(port)), error.message);
      await new Promise((resolve) => taker.close(resolve));
      await t.runtime.startContainer(id);
      await t.logged(id, "ready");
    },
  },
];

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(port, "0.0.0.0", () => resolve(server));
  });
}
