/** What dockerd does otherwise than the contract asks; each was compared with the docker CLI on the same engine. */
import type { Trait } from "../../src/testing/contract.ts";

export const dockerLacks: Partial<Readonly<Record<Trait, string>>> = {
  "wait-status": "the engine reports exit codes only: an own exit(137) and a SIGKILL look alike",
};

export const dockerSkips: Readonly<Record<string, string>> = {};
