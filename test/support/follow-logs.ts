/** Follows a log many times over and tells how much memory that takes. Arguments: endpoint, how many. */
import { openDockerRuntime } from "../../src/runtimes/docker/open.ts";
import { containerId } from "../../src/spec/container-id.ts";

const [endpoint = "", count = "1"] = process.argv.slice(2);
const runtime = await openDockerRuntime({ endpoint, env: {} });
const id = containerId({ service: "many" });
let following = 0;

async function follow(): Promise<void> {
  const stream = (await runtime.logsStream(id, { follow: true }))[Symbol.asyncIterator]();
  // The history, then the first live line.
  await stream.next();
  await stream.next();
  following += 1;
  await stream.next();
}

for (let one = 0; one < Number(count); one++) void follow();
while (following < Number(count)) await new Promise((resolve) => setTimeout(resolve, 10));
console.log(JSON.stringify({ following, rssBytes: process.memoryUsage().rss }));
