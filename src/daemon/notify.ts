/** Tells systemd how we are (sd_notify(3)): a datagram to the socket it names. Without systemd there is nobody to tell. */
import { messageOf } from "../errors.ts";
import type { Logger } from "./log.ts";

export type Notify = (state: string) => Promise<void>;

export async function systemdNotifier(env: NodeJS.ProcessEnv, log: Logger): Promise<Notify> {
  const path = env["NOTIFY_SOCKET"];
  if (path === undefined || path === "") return async () => {};
  const { DgramSocket } = await import("node-unix-socket");
  // "@" stands for the abstract name space.
  const address = path.startsWith("@") ? `\0${path.slice(1)}` : path;
  return (state) =>
    new Promise((resolve) => {
      const socket = new DgramSocket();
      const text = Buffer.from(state);
      socket.sendTo(text, 0, text.length, address, (error) => {
        if (error) log.warn("cannot notify systemd", { error: messageOf(error) });
        socket.close();
        resolve();
      });
    });
}
