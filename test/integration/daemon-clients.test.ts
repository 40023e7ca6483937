/** Programs that speak the Docker Engine API against `berth serve`. The same scenarios run on dockerd in daemon-reference.test.ts. */
import { startBerthDaemon } from "../support/berth-daemon.ts";
import { runScenarios } from "../support/run-scenarios.ts";
import { clientScenarios } from "./scenarios/clients.ts";

runScenarios("berth serve", startBerthDaemon, clientScenarios);
