/** What dockerd does otherwise than the contract asks; each was compared with the docker CLI on the same engine. */
import type { Trait } from "../../src/testing/contract.ts";

export const dockerLacks: Partial<Readonly<Record<Trait, string>>> = {
  "wait-status": "the engine reports exit codes only: an own exit(137) and a SIGKILL look alike",
};

const forcedRemoval = "docker rmi -f removes the image under a container that does not run at once, which then keeps its layers";

export const dockerSkips: Readonly<Record<string, string>> = {
  "a used image that is removed by force loses its name at once and goes with its last container": forcedRemoval,
  "an image that got a name again stays when its container goes": forcedRemoval,
};
