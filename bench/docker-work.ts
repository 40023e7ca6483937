/** The units of work of the bench, done by an engine over Docker's API. */
import { isRecord } from "../src/spec/descriptor.ts";
import type { EngineClient } from "./engine-client.ts";
import { inLanes } from "./lanes.ts";

interface Engine {
  readonly client: EngineClient;
}

export async function dockerPull({ client }: Engine, image: string): Promise<void> {
  const answer = await client.call("POST", `/images/create?fromImage=${encodeURIComponent(image)}`);
  const failed = [answer].flat().find((line) => isRecord(line) && "error" in line);
  if (failed) throw new Error(`pull: ${JSON.stringify(failed)}`);
}

/** Create, start, wait, remove. */
export async function dockerRun(engine: Engine, image: string, network: string): Promise<void> {
  const id = await dockerCreate(engine, image, ["/bin/true"], network);
  await dockerStart(engine, id);
  await dockerWait(engine, id);
  await engine.client.call("DELETE", `/containers/${id}`);
}

/** Answers the id. */
export async function dockerCreate({ client }: Engine, image: string, command: readonly string[], network = "none"): Promise<string> {
  return idOf(await client.call("POST", "/containers/create", { Image: image, Cmd: command, HostConfig: { NetworkMode: network } }));
}

export async function dockerStart({ client }: Engine, id: string): Promise<void> {
  await client.call("POST", `/containers/${id}/start`);
}

/** Throws unless it ends with 0. */
export async function dockerWait({ client }: Engine, id: string): Promise<void> {
  const outcome = await client.call("POST", `/containers/${id}/wait`);
  if (!isRecord(outcome) || outcome["StatusCode"] !== 0) throw new Error(`wait: ${JSON.stringify(outcome)}`);
}

export const sleeping: readonly string[] = ["/bin/sleep", "3600"];

/** A container that sleeps; answers its id. */
export async function dockerStartSleeping(engine: Engine, image: string): Promise<string> {
  const id = await dockerCreate(engine, image, sleeping);
  await dockerStart(engine, id);
  return id;
}

export async function dockerRemove({ client }: Engine, id: string): Promise<void> {
  await client.call("DELETE", `/containers/${id}?force=true`);
}

export async function dockerRemoveAll(engine: Engine): Promise<void> {
  const listed = await engine.client.call("GET", "/containers/json?all=1");
  const ids = Array.isArray(listed) ? listed.map(idOf) : [];
  await inLanes(ids.length, () => dockerRemove(engine, ids.pop() ?? ""));
}

/** Exec to its exit code; output attached, as `docker exec` does. */
export async function dockerExec({ client }: Engine, container: string): Promise<void> {
  const id = idOf(await client.call("POST", `/containers/${container}/exec`, { Cmd: ["/bin/true"], AttachStdout: true, AttachStderr: true }));
  await client.call("POST", `/exec/${id}/start`, { Detach: false, Tty: false });
  const state = await client.call("GET", `/exec/${id}/json`);
  if (!isRecord(state) || state["ExitCode"] !== 0) throw new Error(`exec: ${JSON.stringify(state)}`);
}

function idOf(answer: unknown): string {
  if (isRecord(answer) && typeof answer["Id"] === "string") return answer["Id"];
  throw new Error(`the engine answered no id: ${JSON.stringify(answer)}`);
}
