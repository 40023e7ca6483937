import { runContract } from "../../src/testing/run-contract.ts";
import { dockerLacks, dockerSkips } from "../support/docker-skips.ts";
import { startDockerd } from "../support/dockerd.ts";
import { openOnEngine } from "../support/engine-contract.ts";

runContract({ name: "docker with dockerd", open: () => openOnEngine(startDockerd), lacks: dockerLacks, skips: dockerSkips, timeoutMs: 180_000 });
