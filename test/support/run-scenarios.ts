/** Runs scenarios against one engine, isolated from the host, as tests. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isIsolated, runIsolated } from "../../scripts/lib/isolate.ts";
import { pushDemoImage } from "./demo.ts";
import { runCommand } from "./docker-cli.ts";
import { buildImage, pushImage } from "./push.ts";
import { type RegistryServer, startRegistry } from "./registry-server.ts";
import { dockerOf, type Scenario } from "./scenarios.ts";

export interface Engine {
  readonly socket: string;
  readonly endpoint: string;
  stop(): Promise<void>;
  /** Told when a test failed. */
  log?(): string;
}

const account = { username: "alice", password: "correct-horse-4711" };

/** `skips`: scenario → why this engine does not do it. */
export function runScenarios(
  engineName: string,
  start: () => Promise<Engine>,
  scenarios: readonly Scenario[],
  skips: Readonly<Record<string, string>> = {},
): void {
  if (!isIsolated()) {
    test(`${engineName}: scenarios in namespaces of their own`, { timeout: 1_800_000 }, () => {
      if (runIsolated() !== 0) throw new Error("a scenario failed; its output is above");
    });
    return;
  }
  describe(`scenarios on ${engineName}`, () => {
    const directory = mkdtempSync(join(tmpdir(), "berth-scenarios-"));
    let engine: Engine | undefined;
    let [open, guarded]: (RegistryServer | undefined)[] = [];
    let [image, privateImage] = ["", ""];
    before(async () => {
      [open, guarded, engine] = await Promise.all([startRegistry(), startRegistry({ auth: account }), start()]);
      image = await pushDemoImage(open.host);
      privateImage = (await pushImage(guarded.host, "private", "latest", { ...buildImage({ layers: [] }), auth: account })).reference;
      await runCommand("docker", ["pull", "-q", image], { env: { DOCKER_HOST: engine.endpoint } });
    });
    after(async () => {
      await engine?.stop();
      await Promise.all([open?.close(), guarded?.close()]);
      rmSync(directory, { recursive: true, force: true });
    });
    for (const [index, scenario] of scenarios.entries()) {
      test(scenario.name, { skip: skips[scenario.name] ?? false, timeout: 600_000 }, async () => {
        if (engine === undefined || guarded === undefined) throw new Error("the engine is not there");
        const own = join(directory, String(index));
        mkdirSync(join(own, "docker"), { recursive: true });
        await scenario.run({
          ...engine,
          ...dockerOf(engine.endpoint, join(own, "docker")),
          image,
          guarded: { host: guarded.host, image: privateImage, ...account },
          directory: own,
          name: `scenario-${index}`,
        });
      });
    }
  });
}
