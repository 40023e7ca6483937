/** The image the quickstart and the README run: busybox, and a program that looks around and tells. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type TarFixture, writeTar } from "../../src/testing/tar-writer.ts";
import { buildImage, pushImage } from "../../test/support/push.ts";

const welcome = `#!/bin/sh
echo "Hello from a container!"
echo "  user      $(id -un) ($(id -u))"
echo "  hostname  $(hostname)"
echo "  address   $(ip -4 -o addr show dev eth0 2>/dev/null | awk '{print $4}')"
echo "  kernel    $(uname -sr)"
echo "  processes $(ls -d /proc/[0-9]* | wc -l), and I am number $$"
`;

/** Pushes it as `<host>/<repository>:latest` and answers that name. */
export async function pushWelcomeImage(host: string, repository: string): Promise<string> {
  const config = { config: { Cmd: ["welcome"], Env: ["PATH=/bin"], WorkingDir: "/" } };
  const image = buildImage({ layers: [baseLayer(), writeTar([{ name: "bin/welcome", data: welcome, mode: 0o755 }])], config });
  return (await pushImage(host, repository, "latest", image)).reference;
}

function baseLayer(): Buffer {
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
  const directories = ["bin/", "dev/", "etc/", "home/", "proc/", "root/", "sys/", "var/"].map((name): TarFixture => ({ name }));
  const links = applets.filter((applet) => applet !== "busybox").map((applet): TarFixture => ({ name: `bin/${applet}`, linkName: "busybox" }));
  return writeTar([
    ...directories,
    { name: "tmp/", mode: 0o1777 },
    { name: "bin/busybox", data: readFileSync("/bin/busybox"), mode: 0o755 },
    ...links,
    { name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n" },
    { name: "etc/group", data: "root:x:0:\nnogroup:x:65534:\n" },
  ]);
}
