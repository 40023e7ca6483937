import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RuntimeContainerSummary, StatsSample } from "../../runtime/types.ts";
import { containerColumns, containerRow, containerTitles, portsText, statusText } from "./container-row.ts";
import { renderRows } from "./rows.ts";
import { binarySize, decimalSize } from "./size.ts";
import { cpuPercent, statsRow } from "./stats-row.ts";
import { formatTable, truncate } from "./table.ts";
import { fillTemplate, parseFormat } from "./template.ts";
import { humanDuration, nanoTimestamp } from "./time.ts";

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];

test("lengths of time in Docker's words", () => {
  const cases: readonly (readonly [number, string])[] = [
    [999, "Less than a second"],
    [second, "1 second"],
    [5 * second, "5 seconds"],
    [minute, "About a minute"],
    [2 * minute + 59_000, "2 minutes"],
    [59 * minute, "59 minutes"],
    [61 * minute, "About an hour"],
    [3 * hour, "3 hours"],
    [47 * hour, "47 hours"],
    [3 * day, "3 days"],
    [15 * day, "2 weeks"],
    [90 * day, "3 months"],
    [800 * day, "2 years"],
  ];
  for (const [ms, text] of cases) assert.equal(humanDuration(ms), text);
});

test("sizes: decimal on disk and wire, binary in memory", () => {
  assert.deepEqual([0, 999, 1000, 13_300, 187_400_000, 2_500_000_000].map(decimalSize), ["0B", "999B", "1kB", "13.3kB", "187MB", "2.5GB"]);
  assert.deepEqual([512, 1024, 4_731_904, 8 * 1024 ** 3].map(binarySize), ["512B", "1KiB", "4.513MiB", "8GiB"]);
});

test("log timestamps have nine digits", () => {
  assert.equal(nanoTimestamp(new Date("2026-01-02T03:04:05.678Z")), "2026-01-02T03:04:05.678000000Z");
});

test("tables have three spaces between columns and cut nothing", () => {
  assert.equal(
    formatTable([
      ["A", "LONG HEADER", "C"],
      ["x", "y", "a very long last cell"],
    ]),
    "A         LONG HEADER   C\nx         y             a very long last cell",
  );
  assert.equal(truncate("abcdef", 4), "abc…");
  assert.equal(truncate("abc", 3), "abc");
});

const now = Date.parse("2026-01-01T12:00:00Z");
const container: RuntimeContainerSummary = {
  runtimeId: "berth-x",
  hexId: "0123456789abcdef".repeat(4),
  name: "web",
  image: "docker.io/library/nginx:latest",
  command: ["nginx", "-g", "daemon off; master_process on"],
  state: { state: "running" },
  createdAt: new Date(now - 2 * hour),
  startedAt: new Date(now - 2 * minute),
  ports: [{ containerPort: 80, protocol: "tcp", hostIp: "0.0.0.0", hostPort: 8080 }],
  labels: { a: "1" },
};

describe("a line of ps", () => {
  test("as Docker prints it", () => {
    const table = renderRows({ titles: containerTitles, columns: containerColumns, rows: [containerRow(container, false, now)] }, undefined);
    assert.deepEqual(table, [
      "CONTAINER ID   IMAGE     COMMAND                  CREATED       STATUS         PORTS                  NAMES\n" +
        '0123456789ab   nginx     "nginx -g daemon off…"   2 hours ago   Up 2 minutes   0.0.0.0:8080->80/tcp   web',
    ]);
  });

  test("knows every state", () => {
    const status = (change: Partial<RuntimeContainerSummary>): string => statusText({ ...container, ...change }, now);
    assert.equal(status({ paused: true }), "Up 2 minutes (Paused)");
    assert.equal(status({ state: { state: "exited", code: 3 }, finishedAt: new Date(now - 3 * hour) }), "Exited (3) 3 hours ago");
    assert.equal(status({ state: { state: "pending" } }), "Created");
    assert.equal(status({ state: { state: "failed", reason: "no\nsuch file" } }), "Failed: no such file");
  });

  test("shows unpublished and IPv6 ports", () => {
    assert.equal(
      portsText([
        { containerPort: 53, protocol: "udp" },
        { containerPort: 1, protocol: "tcp", hostIp: "::1", hostPort: 2 },
      ]),
      "53/udp, [::1]:2->1/tcp",
    );
  });
});

describe("--format", () => {
  const listing = {
    titles: { ID: "THE ID", Names: "NAMES" },
    columns: ["ID"],
    rows: [
      { ID: "1", Names: "a" },
      { ID: "2", Names: "b" },
    ],
  };

  test("json, columns, placeholders and tables of placeholders", () => {
    assert.deepEqual(renderRows(listing, "json"), ['{"ID":"1","Names":"a"}', '{"ID":"2","Names":"b"}']);
    assert.deepEqual(renderRows(listing, "Names,ID"), ["NAMES     THE ID\na         1\nb         2"]);
    assert.deepEqual(renderRows(listing, "{{.Names}}={{ .ID }}"), ["a=1", "b=2"]);
    assert.deepEqual(renderRows(listing, "table {{.Names}}\\t{{.ID}}"), ["NAMES     THE ID\na         1\nb         2"]);
    assert.deepEqual(renderRows(listing, "{{json .}}"), ['{"ID":"1","Names":"a"}', '{"ID":"2","Names":"b"}']);
    assert.deepEqual(renderRows({ ...listing, rows: [] }, "{{.ID}}"), []);
  });

  test("walks into records", () => {
    const format = parseFormat("{{.State.Code}} {{json .List}} {{.List}}");
    assert.ok(format.kind === "template");
    assert.equal(fillTemplate(format.parts, { State: { Code: 3 }, List: [1] }), "3 [1] [1]");
  });

  test("refuses logic and unknown fields by name", () => {
    for (const logic of ["{{if .ID}}x{{end}}", "{{range .}}{{end}}", "{{.ID | upper}}", "{{len .ID}}", "{{.}}"]) {
      assert.throws(() => renderRows(listing, logic), /template logic/, logic);
    }
    assert.throws(() => renderRows(listing, "{{.Nope}}"), /no field "Nope".*ID, Names/);
    assert.throws(() => renderRows(listing, "Nope"), /no column "Nope"/);
    assert.throws(() => renderRows(listing, "just text"), /is no format/);
  });
});

test("stats: shares are differences of samples", () => {
  const sample = (cpuTotalNs: number, cpuSystemNs: number): StatsSample => ({
    cpuTotalNs,
    cpuSystemNs,
    onlineCpus: 2,
    memUsedBytes: 1024 ** 2,
    memLimitBytes: 4 * 1024 ** 2,
    netRxBytes: 1500,
    netTxBytes: 0,
    blkioReadBytes: 0,
    blkioWriteBytes: 0,
    pidsCurrent: 3,
    timestamp: new Date(0),
  });
  assert.equal(cpuPercent(sample(0, 0), sample(500, 1000)), 100);
  assert.equal(cpuPercent(undefined, sample(500, 1000)), 0);
  const row = statsRow(container, sample(0, 0), sample(5, 1000), false);
  assert.deepEqual(row, {
    ID: "0123456789ab",
    Name: "web",
    CPUPerc: "1.00%",
    MemUsage: "1MiB / 4MiB",
    MemPerc: "25.00%",
    NetIO: "1.5kB / 0B",
    BlockIO: "0B / 0B",
    PIDs: "3",
  });
  assert.equal(statsRow(container, undefined, undefined, false)["MemUsage"], "-- / --");
});
