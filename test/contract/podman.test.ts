import { runContract } from "../../src/testing/run-contract.ts";
import { openOnEngine } from "../support/engine-contract.ts";
import { startPodman } from "../support/podman.ts";
import { podmanLacks, podmanSkips, podmanUnseen } from "../support/podman-skips.ts";

runContract({
  name: "docker with Podman",
  open: () => openOnEngine(startPodman),
  lacks: podmanLacks,
  skips: podmanSkips,
  unseen: podmanUnseen,
  timeoutMs: 60_000,
});
