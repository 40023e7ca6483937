/**
 * The scenarios on Docker itself: they ask for nothing that Docker does not do. Those of the docker command always; those of programs,
 * which take a minute more, when BERTH_REFERENCE=1 asks for them.
 */
import { startDockerd } from "../support/dockerd.ts";
import { runScenarios } from "../support/run-scenarios.ts";
import { clientScenarios } from "./scenarios/clients.ts";
import { dockerCliScenarios } from "./scenarios/docker-cli.ts";

const asked = process.env["BERTH_REFERENCE"] === "1" ? clientScenarios : [];
runScenarios("dockerd", startDockerd, [...dockerCliScenarios, ...asked]);
