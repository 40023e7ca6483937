/** Pings by the thousand: bare sockets, because an HTTP client in JavaScript would cost more than what is measured. */
import { connect, type Socket } from "node:net";

const request = Buffer.from("GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n");

/** Sends `total` pings over `lanes` connections, one at a time on each. Throws for an answer that is not 200 and OK. */
export async function pings(socketPath: string, total: number, lanes: number): Promise<void> {
  let left = total;
  const takeOne = (): boolean => left-- > 0;
  await Promise.all(Array.from({ length: lanes }, () => pingLane(connect(socketPath), takeOne)));
}

function pingLane(socket: Socket, takeOne: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = "";
    let isDone = false;
    const next = (): void => {
      isDone = !takeOne();
      if (isDone) socket.end();
      else socket.write(request);
    };
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      answer += part;
      if (!answer.startsWith("HTTP/1.1 200 ")) socket.destroy(new Error(`ping: ${answer}`));
      else if (answer.endsWith("\r\n\r\nOK")) {
        answer = "";
        next();
      }
    });
    socket.once("connect", next);
    socket.once("error", reject);
    socket.once("close", () => (isDone ? resolve() : reject(new Error(`a ping was not answered: ${JSON.stringify(answer)}`))));
  });
}
