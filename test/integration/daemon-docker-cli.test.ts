/** The docker command against `berth serve`. The same scenarios run on dockerd in daemon-reference.test.ts. */
import { startBerthDaemon } from "../support/berth-daemon.ts";
import { runScenarios } from "../support/run-scenarios.ts";
import { dockerCliScenarios } from "./scenarios/docker-cli.ts";

runScenarios("berth serve", startBerthDaemon, dockerCliScenarios);
