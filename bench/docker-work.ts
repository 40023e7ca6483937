/** The units of work of the bench, done by dockerd over its API. */
import { isRecord } from "../src/spec/descriptor.ts";
import type { Dockerd } from "./dockerd.ts";
import type { EngineClient } from "./engine-client.ts";

export async function dockerPull({ client }: Dockerd, image: string): Promise<void> {
  const answer = await client.call("POST", `/images/create?fromImage=${encodeURIComponent(image)}`);
  const failed = [answer].flat().find((line) => isRecord(line) && "error" in line);
  if (failed) throw new Error(`dockerd pull: ${JSON.stringify(failed)}`);
}

/** Create, start, wait, remove. */
export async function dockerRun({ client }: Dockerd, image: string, network: string): Promise<void> {
  const id = await create(client, { Image: image, Cmd: ["/bin/true"], HostConfig: { NetworkMode: network } });
  await client.call("POST", `/containers/${id}/start`);
  const outcome = await client.call("POST", `/containers/${id}/wait`);
  if (!isRecord(outcome) || outcome["StatusCode"] !== 0) throw new Error(`dockerd run: ${JSON.stringify(outcome)}`);
  await client.call("DELETE", `/containers/${id}`);
}

/** A container that sleeps; answers its id. */
export async function dockerStartSleeping({ client }: Dockerd, image: string): Promise<string> {
  const id = await create(client, { Image: image, Cmd: ["/bin/sleep", "3600"], HostConfig: { NetworkMode: "none" } });
  await client.call("POST", `/containers/${id}/start`);
  return id;
}

export async function dockerRemove({ client }: Dockerd, id: string): Promise<void> {
  await client.call("DELETE", `/containers/${id}?force=true`);
}

/** Exec to its exit code; output attached, as `docker exec` does. */
export async function dockerExec({ client }: Pick<Dockerd, "client">, container: string): Promise<void> {
  const id = idOf(await client.call("POST", `/containers/${container}/exec`, { Cmd: ["/bin/true"], AttachStdout: true, AttachStderr: true }));
  await client.call("POST", `/exec/${id}/start`, { Detach: false, Tty: false });
  const state = await client.call("GET", `/exec/${id}/json`);
  if (!isRecord(state) || state["ExitCode"] !== 0) throw new Error(`dockerd exec: ${JSON.stringify(state)}`);
}

async function create(client: EngineClient, body: unknown): Promise<string> {
  return idOf(await client.call("POST", "/containers/create", body));
}

function idOf(answer: unknown): string {
  if (isRecord(answer) && typeof answer["Id"] === "string") return answer["Id"];
  throw new Error(`dockerd answered no id: ${JSON.stringify(answer)}`);
}
