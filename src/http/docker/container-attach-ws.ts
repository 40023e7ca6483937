/** GET /containers/{id}/attach/ws: the same conversation over a WebSocket, for browsers. Nothing is framed, as Docker has it. */
import type { Call } from "../call.ts";
import { openWebSocket } from "../web-socket.ts";
import { attachOver, attachParams } from "./container-attach.ts";
import type { DockerEngine } from "./engine.ts";

export function attachWebSocket(engine: DockerEngine, call: Call): Promise<void> {
  return attachOver(engine, call, attachParams(call), async () => ({ connection: await openWebSocket(call), isRaw: true }));
}
