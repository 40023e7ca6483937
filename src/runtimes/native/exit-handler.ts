/** Run by conmon after the exit of a `deleteOnExit` container that no engine supervises: removes it. */
import { parseContainerId } from "../../spec/container-id.ts";
import { isBerthError } from "../../errors.ts";
import { openNativeRuntime } from "./open.ts";

const [root, runDir, ociRuntime, key] = process.argv.slice(2);
const id = key === undefined ? undefined : parseContainerId(key);
if (id !== undefined) {
  await using runtime = await openNativeRuntime({ root, runDir, ociRuntime, isExitHandler: true });
  try {
    await runtime.removeContainer(id);
  } catch (error) {
    if (!isBerthError(error, "not_found") && !isBerthError(error, "conflict")) throw error;
  }
}
