/** The units of work of the bench, done by Berth as a library. */
import { type ContainerId, type NetworkMode, type Runtime, standaloneId } from "berth";

let count = 0;

function nextId(): ContainerId {
  return standaloneId(`bench-${count++}`);
}

/** Create, start, wait, remove. */
export async function berthRun(runtime: Runtime, image: string, networkMode: NetworkMode): Promise<void> {
  const id = nextId();
  await runtime.createContainer(id, { image, command: { args: ["/bin/true"] }, networkMode });
  await runtime.startContainer(id);
  const code = await runtime.waitContainer(id);
  if (code !== 0) throw new Error(`berth run: exit code ${code}`);
  await runtime.removeContainer(id);
}

/** A container that sleeps; answers its id. */
export async function berthStartSleeping(runtime: Runtime, image: string): Promise<ContainerId> {
  const id = nextId();
  await runtime.createContainer(id, { image, command: { args: ["/bin/sleep", "3600"] }, networkMode: { mode: "none" } });
  await runtime.startContainer(id);
  return id;
}

export async function berthExec(runtime: Runtime, id: ContainerId): Promise<void> {
  const { exitCode } = await runtime.exec(id, ["/bin/true"]);
  if (exitCode !== 0) throw new Error(`berth exec: exit code ${exitCode}`);
}
