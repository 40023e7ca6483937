/** Allocates, attaches and releases in a loop until it is killed. Arguments: database, uuid, pids of stand-in containers. */
import { openNetworkStack } from "../../src/network/stack.ts";
import { openDatabase } from "../../src/state/database.ts";

const [path = "", uuid = "", ...pids] = process.argv.slice(2);
const stack = openNetworkStack({ db: await openDatabase(path, []), uuid, defaultRoot: false });
process.stdout.write("ready");
for (;;) {
  for (const pid of pids) {
    const key = `victim-${pid}`;
    const ports = [
      { containerPort: 80, protocol: "tcp", hostIp: "0.0.0.0" },
      { containerPort: 80, protocol: "udp", hostIp: "127.0.0.1" },
    ] as const;
    stack.attach(stack.allocate(key, { members: [{ network: "bridge", aliases: [] }], ports }), Number(pid));
  }
  for (const pid of pids) await stack.release(`victim-${pid}`);
}
