/** The scenarios on Docker itself: they ask for nothing that Docker does not do. */
import { startDockerd } from "../support/dockerd.ts";
import { runScenarios } from "../support/run-scenarios.ts";
import { dockerCliScenarios } from "./scenarios/docker-cli.ts";

runScenarios("dockerd", startDockerd, dockerCliScenarios);
