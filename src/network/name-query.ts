/** One question to a name server (RFC 1035), as far as it takes to learn that it is there and what it has read. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";

/** `true` when the server knows an IPv4 address for the name; `false` for any other answer, or none in time. */
export function knowsName(server: string, name: string, timeoutMs: number): Promise<boolean> {
  const id = randomInt(0x10000);
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const timer = setTimeout(() => done(false), timeoutMs);
    const done = (answer: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners().on("error", () => {});
      socket.close();
      resolve(answer);
    };
    socket.once("error", () => done(false));
    socket.on("message", (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === id) done((answer.readUInt16BE(2) & 0xf) === 0 && answer.readUInt16BE(6) > 0);
    });
    // Connected, so that a refusal is heard of.
    socket.connect(53, server, () => socket.send(question(id, name)));
  });
}

function question(id: number, name: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}
