import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type TarFixture, writeTar } from "../../src/testing/tar-writer.ts";
import { buildImage, pushImage } from "./push.ts";

const busybox = "/usr/bin/busybox";

/** Pushes a small busybox image and answers its reference. */
export async function pushDemoImage(host: string, repo = "demo"): Promise<string> {
  const applets = execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n");
  const entries: TarFixture[] = [
    ...["bin/", "etc/", "proc/", "sys/", "dev/", "root/", "home/", "var/"].map((name) => ({ name })),
    { name: "tmp/", mode: 0o1777 },
    { name: "bin/busybox", data: readFileSync(busybox), mode: 0o755 },
    ...applets.filter((applet) => applet !== "busybox").map((applet) => ({ name: `bin/${applet}`, linkName: "busybox" })),
    { name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n" },
    { name: "etc/group", data: "root:x:0:\nalice:x:1000:\n" },
  ];
  const image = buildImage({ layers: [writeTar(entries)], config: { config: { Cmd: ["sh"], Env: ["PATH=/bin"] } } });
  return (await pushImage(host, repo, "latest", image)).reference;
}
