import assert from "node:assert/strict";
import { appendFileSync, existsSync, linkSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { LogsConfig } from "../../spec/service-spec.ts";
import { LogCursor } from "./log-cursor.ts";
import { heldPath, logFiles } from "./log-files.ts";
import { PieceAssembler } from "./log-record.ts";
import { fileLimitBytes, holdLog, trimLog } from "./log-rotation.ts";

/** A log as conmon writes it, in a directory of its own. */
class Log implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "berth-log-"));
  readonly path: string = join(this.directory, "container.log");
  #line = 0;

  write(count = 1, path = this.path): void {
    let text = "";
    for (let n = 0; n < count; n++) text += `2026-01-02T03:04:05.000000000+00:00 stdout F ${++this.#line}\n`;
    appendFileSync(path, text);
  }

  rotate(number: number): void {
    renameSync(this.path, `${this.path}.${number}`);
  }

  /** As conmon at its hard limit. */
  replace(): void {
    writeFileSync(`${this.path}.tmp`, "");
    renameSync(`${this.path}.tmp`, this.path);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function lines(cursor: LogCursor): number[] {
  const seen: number[] = [];
  for (let records = cursor.read(); records !== undefined; records = cursor.read()) {
    for (const { bytes } of records) seen.push(Number(Buffer.from(bytes).toString()));
  }
  return seen;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const logs = (o: Partial<LogsConfig>): LogsConfig => ({ destination: "disk", maxSizeBytes: 1000, maxFiles: 3, retentionSecs: 3600, ...o });

describe("a reader of a log that is rotated", () => {
  test("goes on in the numbered file until there is a new one, and then in that", () => {
    using log = new Log();
    using cursor = new LogCursor(log.path);
    log.write(3);
    assert.deepEqual(lines(cursor), [1, 2, 3]);
    log.rotate(1);
    log.write(2, `${log.path}.1`);
    assert.deepEqual(lines(cursor), [4, 5]);
    log.write(1, `${log.path}.1`);
    log.write(2);
    assert.deepEqual(lines(cursor), [6, 7, 8]);
  });

  test("that comes later reads all files in order, ten after nine", () => {
    using log = new Log();
    for (let number = 1; number <= 11; number++) {
      log.write(2);
      log.rotate(number);
    }
    log.write(1);
    using cursor = new LogCursor(log.path);
    assert.deepEqual(lines(cursor), range(1, 23));
  });

  test("that is slow but keeps up with the files loses nothing when they are removed", () => {
    using log = new Log();
    log.write(3000);
    using cursor = new LogCursor(log.path);
    cursor.keepUp();
    for (let number = 1; number <= 5; number++) {
      log.rotate(number);
      log.write(3000);
      cursor.keepUp();
      trimLog(log.path, logs({ maxSizeBytes: 1 }));
    }
    assert.equal(logFiles(log.path).length, 1);
    assert.deepEqual(lines(cursor), range(1, 18_000));
  });

  test("that began at the end sees only what comes, piece by piece", () => {
    using log = new Log();
    log.write(5);
    log.rotate(1);
    log.write(5);
    using cursor = new LogCursor(log.path, new PieceAssembler());
    cursor.seekToEnd();
    assert.deepEqual(lines(cursor), []);
    log.write(1);
    log.rotate(2);
    log.write(1);
    appendFileSync(log.path, "2026-01-02T03:04:05.000000000+00:00 stdout P 7\n");
    assert.deepEqual(lines(cursor), [11, 12, 7]);
  });
});

describe("a log that conmon itself replaced at its hard limit", () => {
  test("has its last file under the second name, and that gets a number", () => {
    using log = new Log();
    log.write(2);
    holdLog(log.path);
    log.replace();
    log.write(2);
    using cursor = new LogCursor(log.path);
    assert.deepEqual(lines(cursor), [1, 2, 3, 4]);
    holdLog(log.path);
    assert.ok(existsSync(`${log.path}.1`));
    using later = new LogCursor(log.path);
    assert.deepEqual(lines(later), [1, 2, 3, 4]);
  });

  test("more than once loses what is older, rather than having a gap", () => {
    using log = new Log();
    log.write(2);
    linkSync(log.path, heldPath(log.path));
    const before = new Date(Date.now() - 10_000);
    utimesSync(log.path, before, before);
    log.replace();
    log.write(2);
    holdLog(log.path);
    using cursor = new LogCursor(log.path);
    assert.deepEqual(lines(cursor), [3, 4]);
  });
});

describe("the bounds of a log", () => {
  test("all files together stay within the size, the oldest go", () => {
    using log = new Log();
    for (let number = 1; number <= 4; number++) {
      writeFileSync(log.path, "x".repeat(400));
      log.rotate(number);
    }
    writeFileSync(log.path, "x".repeat(100));
    trimLog(log.path, logs({}));
    assert.deepEqual(
      logFiles(log.path).map(({ number }) => number),
      [3, 4, undefined],
    );
    trimLog(log.path, logs({ maxFiles: 2 }));
    assert.equal(logFiles(log.path).length, 2);
    trimLog(log.path, logs({ maxSizeBytes: 450 }));
    assert.equal(logFiles(log.path).length, 1);
  });

  test("files older than the retention go", () => {
    using log = new Log();
    for (let number = 1; number <= 2; number++) {
      log.write();
      log.rotate(number);
    }
    log.write();
    const before = new Date(Date.now() - 7_200_000);
    utimesSync(`${log.path}.1`, before, before);
    trimLog(log.path, logs({}));
    assert.deepEqual(
      logFiles(log.path).map(({ number }) => number),
      [2, undefined],
    );
  });

  test("a file is a part of the whole, and not too small", () => {
    assert.equal(fileLimitBytes(logs({ maxSizeBytes: 100_000_000, maxFiles: 5 })), 20_000_000);
    assert.equal(fileLimitBytes(logs({ maxSizeBytes: 100_000, maxFiles: 1 })), 50_000);
    assert.equal(fileLimitBytes(logs({ maxSizeBytes: 10, maxFiles: 5 })), 4096);
  });
});
