import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Command, InvalidArgumentError } from "commander";
import { healthOf, logsOf, type PolicyFlags, policyOptions } from "./policies.ts";

function flags(...args: string[]): PolicyFlags {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of policyOptions()) command.addOption(option);
  return command.parse(args, { from: "user" }).opts();
}

const refused = (run: () => unknown, why: RegExp): void => assert.throws(run, (error) => error instanceof InvalidArgumentError && why.test(error.message));

describe("health flags", () => {
  test("become a check with Docker's defaults", () => {
    assert.equal(healthOf(flags()), undefined);
    assert.deepEqual(healthOf(flags("--health-cmd", "true")), {
      interval: 30_000,
      timeout: 30_000,
      retries: 3,
      startGrace: 0,
      check: { type: "command", command: "true" },
    });
    const all = flags("--health-cmd=x", "--health-interval=1s", "--health-timeout=500ms", "--health-retries=5", "--health-start-period=1m30s");
    assert.deepEqual(healthOf(all), { interval: 1_000, timeout: 500, retries: 5, startGrace: 90_000, check: { type: "command", command: "x" } });
  });

  test("without a command change the times of the image's check", () => {
    assert.deepEqual(healthOf(flags("--health-interval", "5s"))?.check, { type: "image" });
  });

  test("--no-healthcheck goes alone", () => {
    assert.deepEqual(healthOf(flags("--no-healthcheck")), { check: { type: "none" } });
    refused(() => healthOf(flags("--no-healthcheck", "--health-cmd", "x")), /conflicts/);
  });
});

describe("log flags", () => {
  test("bound the files", () => {
    assert.equal(logsOf(flags()), undefined);
    assert.deepEqual(logsOf(flags("--log-opt", "max-size=10m", "--log-opt", "max-file=3")), { maxSizeBytes: 30 * 1024 * 1024, maxFiles: 3 });
    assert.deepEqual(logsOf(flags("--log-driver", "json-file", "--log-opt", "max-size=1k")), { maxSizeBytes: 2048, maxFiles: 2 });
  });

  test("refuse what has no meaning here", () => {
    refused(() => logsOf(flags("--log-driver", "syslog")), /unknown log driver/);
    refused(() => logsOf(flags("--log-opt", "tag=x")), /invalid log option "tag"/);
    refused(() => logsOf(flags("--log-opt", "max-file=3")), /needs max-size/);
  });
});
