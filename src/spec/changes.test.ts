import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyChanges, emptyConfig } from "./changes.ts";

const base = { ...emptyConfig, env: ["PATH=/bin", "A=1"], cmd: ["old"], workingDir: "/srv", labels: { kept: "yes" }, exposedPorts: ["80/tcp"] };

describe("changes to an image config", () => {
  test("commands as lists and for a shell; an entrypoint clears an older command", () => {
    assert.deepEqual(applyChanges(base, 'CMD ["a", "b c"]').cmd, ["a", "b c"]);
    assert.deepEqual(applyChanges(base, "cmd echo $HOME").cmd, ["/bin/sh", "-c", "echo $HOME"]);
    assert.deepEqual(applyChanges(base, 'ENTRYPOINT ["/x"]'), { ...base, entrypoint: ["/x"], cmd: [] });
    assert.deepEqual(applyChanges(base, 'CMD ["y"]\nENTRYPOINT ["/x"]').cmd, ["y"]);
    assert.deepEqual(applyChanges(base, "CMD []").cmd, []);
  });

  test("environment: both forms, quotes and variables", () => {
    assert.deepEqual(applyChanges(base, `ENV A=2 B="x y" C=\${A}-$PATH D='$A' E=a\\ b`).env, ["PATH=/bin", "A=2", "B=x y", "C=1-/bin", "D=$A", "E=a b"]);
    assert.deepEqual(applyChanges(base, "ENV TEXT some words").env, ["PATH=/bin", "A=1", "TEXT=some words"]);
    assert.deepEqual(applyChanges(base, `ENV X=\${NONE:-default}\nENV Y=\${X:+there}`).env.slice(2), ["X=default", "Y=there"]);
  });

  test("ports, volumes, labels, user, directory, signal", () => {
    const config = applyChanges(
      base,
      '# a comment\nEXPOSE 53/udp 8000-8001\n\nVOLUME /data /more\nVOLUME ["/list"]\nLABEL a=b "c d"="e f"\nUSER 1000:1000\nWORKDIR sub\nWORKDIR ../other\nSTOPSIGNAL SIGQUIT\nONBUILD RUN make \\\n all',
    );
    assert.deepEqual(config.exposedPorts, ["80/tcp", "53/udp", "8000/tcp", "8001/tcp"]);
    assert.deepEqual(config.volumes, ["/data", "/more", "/list"]);
    assert.deepEqual(config.labels, { kept: "yes", a: "b", "c d": "e f" });
    assert.equal(config.user, "1000:1000");
    assert.equal(config.workingDir, "/srv/other");
    assert.equal(config.stopSignal, "SIGQUIT");
    assert.deepEqual(config.onBuild, ["RUN make  all"]);
  });

  test("health checks", () => {
    assert.deepEqual(applyChanges(base, "HEALTHCHECK NONE").healthcheck, { test: ["NONE"] });
    const { healthcheck } = applyChanges(base, "HEALTHCHECK --interval=30s --timeout=1m30s --retries=3 CMD curl -f localhost");
    assert.deepEqual(healthcheck, { test: ["CMD-SHELL", "curl -f localhost"], interval: 30e9, timeout: 90e9, startPeriod: undefined, retries: 3 });
    assert.deepEqual(applyChanges(base, 'HEALTHCHECK CMD ["x", "y"]').healthcheck?.test, ["CMD", "x", "y"]);
  });

  for (const bad of [
    "RUN make",
    "FROM scratch",
    "COPY a b",
    "CMD",
    "ENV",
    "ENV A",
    "ENV A=1 B",
    'ENV A="x',
    "EXPOSE 0",
    "EXPOSE 99999",
    "EXPOSE 80/icmp",
    "HEALTHCHECK curl",
    "HEALTHCHECK --foo=1 CMD x",
    "ONBUILD FROM x",
    "STOPSIGNAL SIGNOPE",
    "USER a b",
    "ENV A=${",
  ]) {
    test(`${bad} is refused`, () => assert.throws(() => applyChanges(base, bad), { code: "invalid_spec" }));
  }
});
