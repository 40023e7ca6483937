/** The docker backend against our own daemon: what the contract asks, asked through both sides of the Engine API. */
import { runContract } from "../../src/testing/run-contract.ts";
import { startBerthDaemon } from "../support/berth-daemon.ts";
import { daemonLacks, daemonSkips } from "../support/daemon-skips.ts";
import { openOnEngine } from "../support/engine-contract.ts";

runContract({ name: "docker with berth serve", open: () => openOnEngine(startBerthDaemon), lacks: daemonLacks, skips: daemonSkips, timeoutMs: 120_000 });
