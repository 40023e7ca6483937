/** GET /containers/{id}/attach/ws: the same conversation over a WebSocket, for browsers. */
import type { Call } from "../call.ts";
import { webSocketOf } from "../web-socket.ts";
import { attachParams, openAttach } from "./container-attach.ts";
import { refOf, withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";

export async function attachWebSocket(engine: DockerEngine, call: Call): Promise<void> {
  const params = attachParams(call);
  await withContainer(engine, refOf(call), async (found) => {
    const details = await engine.runtime.inspectDetailed(found.id);
    const handle = await openAttach(engine, found, details, params);
    try {
      const socket = await webSocketOf(call);
      engine.closing.addEventListener("abort", () => handle.close());
      socket.onClose(() => handle.close());
      socket.onMessage((bytes) => {
        if (params.stdin) void handle.write(bytes).catch(() => {});
      });
      for await (const { channel, bytes } of handle.output) {
        if (channel === "stdout" ? params.stdout || details.tty === true : params.stderr) await socket.send(bytes);
      }
      socket.close(1000, "");
    } finally {
      handle.close();
    }
  });
}
