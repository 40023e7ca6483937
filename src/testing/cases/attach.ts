/** `extras.attachContainer` (Appendix B): the main process's input and output. */
import assert from "node:assert/strict";
import type { AttachHandle, AttachOptions } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { eventually, rejectsWith } from "./expect.ts";

async function attach(t: ContractContext, id: ContainerId, o: AttachOptions = {}): Promise<AttachHandle> {
  assert.ok(t.runtime.extras?.attachContainer !== undefined, "extras.attachContainer is there");
  const handle = await t.runtime.extras.attachContainer(id, o);
  t.defer(() => handle.close());
  return handle;
}

async function collect(handle: AttachHandle): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const seen = { stdout: "", stderr: "" };
  for await (const { channel, bytes } of handle.output) seen[channel] += Buffer.from(bytes).toString();
  return seen;
}

export const attachCases: readonly ContractCase[] = [
  {
    name: "attached before the start, nothing is missed and the channels stay apart",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.line("out"), step.line("err", "stderr"), step.print("end")) });
      const output = collect(await attach(t, id));
      await t.runtime.startContainer(id);
      assert.deepEqual(await output, { stdout: "out\nend", stderr: "err\n" });
    },
  },
  {
    name: "what an attached client writes is the program's input, and ending it ends the input",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.readLine(), step.echoStdin(), step.exit(4)), stdinOpen: true });
      const handle = await attach(t, id, { stdin: true });
      const output = collect(handle);
      await t.runtime.startContainer(id);
      await handle.write(Buffer.from("hello\nrest "));
      await handle.write(Buffer.from("of it"));
      handle.endStdin();
      assert.equal((await output).stdout, "got:hello\nrest of it");
      assert.equal(await t.runtime.waitContainer(id), 4);
    },
  },
  {
    name: "input that is there before the program is not lost, nor is its end",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.readLine(), step.echoStdin()), stdinOpen: true });
      const handle = await attach(t, id, { stdin: true });
      const output = collect(handle);
      await handle.write(Buffer.from("early\nand "));
      await handle.write(Buffer.from("more"));
      handle.endStdin();
      await t.runtime.startContainer(id);
      assert.equal((await output).stdout, "got:early\nand more");
    },
  },
  {
    name: "a mebibyte of input comes back unchanged",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: programs.echoStdin(), stdinOpen: true });
      const handle = await attach(t, id, { stdin: true });
      const received: Buffer[] = [];
      const reading = (async () => {
        for await (const { bytes } of handle.output) received.push(Buffer.from(bytes));
      })();
      await t.runtime.startContainer(id);
      const bytes = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, n) => (n * 13) % 256));
      for (let from = 0; from < bytes.length; from += 32 * 1024) await handle.write(bytes.subarray(from, from + 32 * 1024));
      handle.endStdin();
      await reading;
      assert.ok(Buffer.concat(received).equals(bytes));
    },
  },
  {
    name: "without stdinOpen the program reads the end of input",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.readLine()) });
      const output = collect(await attach(t, id));
      await t.runtime.startContainer(id);
      assert.equal((await output).stdout, "end of input\n");
    },
  },
  {
    name: "several clients see the same output, and the log has it too",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.count(50)) });
      const outputs = [collect(await attach(t, id)), collect(await attach(t, id))];
      await t.runtime.startContainer(id);
      const [first, second] = await Promise.all(outputs);
      assert.equal(first?.stdout, second?.stdout);
      await t.runtime.waitContainer(id);
      assert.equal(await t.text(id), first?.stdout);
    },
  },
  {
    name: "attached to a running container, one sees what comes from now on",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.line("old"), step.await("/gate"), step.line("new")) });
      await t.logged(id, "old");
      const output = collect(await attach(t, id));
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.equal((await output).stdout, "new\n");
    },
  },
  {
    name: "attached with the log, one sees what was written before and what comes, each once",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.line("old"), step.await("/gate"), step.line("new", "stderr"), step.print("end")) });
      await t.logged(id, "old");
      const output = collect(await attach(t, id, { logs: true }));
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.deepEqual(await output, { stdout: "old\nend", stderr: "new\n" });
    },
  },
  {
    name: "a client that does not read holds up neither the program nor another client, and misses nothing",
    needs: ["attach"],
    run: async (t) => {
      const lines = 60_000;
      const id = await t.create({ argv: program(step.count(lines), step.exit(3)), stdinOpen: true });
      const [slow, quick] = [await attach(t, id, { stdin: true }), await attach(t, id)];
      const output = collect(quick);
      await t.runtime.startContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 3);
      const expected = Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join("");
      assert.ok((await output).stdout === expected, "the quick one has it all");
      assert.ok((await collect(slow)).stdout === expected, "the slow one too");
    },
  },
  {
    name: "detaching, even twice, leaves the container alone and ends the output",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.service({ stdinOpen: true });
      const handle = await attach(t, id, { stdin: true });
      const output = collect(handle);
      handle.close();
      handle.close();
      handle[Symbol.dispose]();
      await output;
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "writing after the exit rejects",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: programs.exitWith(0), stdinOpen: true });
      const handle = await attach(t, id, { stdin: true });
      const output = collect(handle);
      await t.runtime.startContainer(id);
      await t.runtime.waitContainer(id);
      await output;
      await assert.rejects(handle.write(Buffer.from("too late")));
    },
  },
  {
    name: "attach to a container nobody knows is not found",
    needs: ["attach"],
    run: async (t) => {
      await rejectsWith("not_found", attach(t, t.newId()));
    },
  },
  {
    name: "an attached terminal merges the channels and follows the window",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({
        argv: program(step.isTerminal(), step.line("err", "stderr"), step.await("/gate"), step.windowSize()),
        tty: true,
        stdinOpen: true,
      });
      const handle = await attach(t, id, { stdin: true });
      const output = collect(handle);
      await t.runtime.startContainer(id);
      await t.logged(id, "err");
      handle.resize(41, 123);
      await t.runtime.exec(id, program(step.sleep(50), step.append("/gate", "")));
      const { stdout, stderr } = await output;
      assert.match(stdout, /terminal\r?\nerr\r?\n[\s\S]*41 123/);
      assert.equal(stderr, "");
    },
  },
  {
    name: "resizing never throws, whatever the state",
    needs: ["attach"],
    run: async (t) => {
      const id = await t.create({ argv: programs.exitWith(0) });
      const handle = await attach(t, id);
      handle.resize(10, 10);
      const output = collect(handle);
      await t.runtime.startContainer(id);
      await output;
      handle.resize(0, 0);
      await eventually("it has ended", async () => (await t.runtime.containerState(id)).state === "exited");
      handle.resize(10, 10);
    },
  },
];
