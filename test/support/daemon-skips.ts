/** What the contract asks and the Engine API cannot carry, whoever is on its other side. */
import type { Trait } from "../../src/testing/contract.ts";

export const daemonLacks: Partial<Readonly<Record<Trait, string>>> = {
  "wait-status": "the Engine API reports exit codes only: an own exit(137) and a SIGKILL look alike",
  credentials: "docker's own client keeps them; the Engine API has no place for any",
};

export const daemonSkips: Readonly<Record<string, string>> = {
  "a port and a page can be asked for": "Docker's health checks are commands: its API has no word for ports and pages",
  "sequence numbers grow by one, and a cursor goes on right behind its event": "Docker's events have no numbers: every stream counts its own from 1",
};
