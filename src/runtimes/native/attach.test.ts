import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SeqpacketServer, type SeqpacketSocket } from "node-unix-socket";
import { openAttach } from "./attach.ts";
import type { ContainerPaths } from "./layout.ts";

describe("input of a container", () => {
  test("that goes nowhere because the monitor has just gone is refused, not waited for", async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "berth-attach-"));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const paths = { log: join(dir, "log"), attachSocket: join(dir, "attach"), controlFifo: join(dir, "ctl") } as ContainerPaths;
    writeFileSync(paths.log, "");
    const server = new SeqpacketServer();
    t.after(() => server.close());
    const monitor = new Promise<SeqpacketSocket>((resolve) => server.once("connection", resolve));
    server.listen(paths.attachSocket);
    const { handle, connect } = openAttach(paths, "web", { stdin: true }, { isLive: () => true, onEnd: () => () => {} });
    using _attached = handle;
    await connect();
    (await monitor).destroy();
    await assert.rejects(handle.write(Buffer.from("too late")), { code: "conflict", message: "container web no longer takes input" });
  });
});
