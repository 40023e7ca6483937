/** The scenarios on Docker itself: they ask for nothing that Docker does not do. Asked for by BERTH_REFERENCE=1, as it tests the tests. */
import { test } from "node:test";
import { startDockerd } from "../support/dockerd.ts";
import { runScenarios } from "../support/run-scenarios.ts";
import { clientScenarios } from "./scenarios/clients.ts";
import { dockerCliScenarios } from "./scenarios/docker-cli.ts";

if (process.env["BERTH_REFERENCE"] === "1") runScenarios("dockerd", startDockerd, [...dockerCliScenarios, ...clientScenarios]);
else test("scenarios on dockerd", { skip: "set BERTH_REFERENCE=1 to check the scenarios themselves against dockerd" }, () => {});
