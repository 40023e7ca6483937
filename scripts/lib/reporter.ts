/**
 * Reporter for `node --test`: one line per file, failures in full, every skip with its reason, the slowest tests; the sums go to
 * the file named by BERTH_TEST_TOTALS, as one JSON object.
 */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { inspect, styleText } from "node:util";

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Outcome {
  readonly file: string;
  readonly name: string;
  readonly durationMs: number;
  readonly result: "passed" | "failed" | "skipped";
  /** Why it was skipped, or the error of a failure. */
  readonly detail?: unknown;
}

const slowestShown = 5;

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const outcomes: Outcome[] = [];
  const path: string[] = [];
  for await (const event of events) {
    if (event.type === "test:start") path.splice(event.data.nesting, Number.POSITIVE_INFINITY, event.data.name);
    if (event.type === "test:stdout" || event.type === "test:stderr") yield event.data.message;
    const outcome = outcomeOf(event, path);
    if (outcome === undefined) continue;
    outcomes.push(outcome);
    writeTotals(outcomes);
    if (outcome.result !== "passed") yield described(outcome);
  }
  yield slowest(outcomes);
}

/** Suites and the wrappers around files count only when they themselves failed; what they hold counts by itself. */
function outcomeOf(event: TestEvent, path: readonly string[]): Outcome | undefined {
  if (event.type !== "test:pass" && event.type !== "test:fail") return undefined;
  const { data } = event;
  const file = relative(process.cwd(), data.file ?? "");
  const name = [...path.slice(0, data.nesting), data.name].join(" › ");
  const base = { file, name, durationMs: data.details.duration_ms };
  if (event.type === "test:fail") {
    const error = event.data.details.error;
    if (isChildrensFault(error)) return undefined;
    return { ...base, result: "failed", detail: error };
  }
  if (data.details.type === "suite") return undefined;
  if (data.skip !== undefined || data.todo !== undefined) return { ...base, result: "skipped", detail: data.skip ?? data.todo };
  if (isFileWithoutTests(data)) return { ...base, result: "failed", detail: "this file holds no test" };
  return { ...base, result: "passed" };
}

function isChildrensFault(error: unknown): boolean {
  return error instanceof Error && "failureType" in error && error.failureType === "subtestsFailed";
}

/** Node reports a file in which nothing was tested as a test named like the file. */
function isFileWithoutTests(data: { readonly name: string; readonly nesting: number; readonly file?: string | undefined }): boolean {
  return data.nesting === 0 && data.file !== undefined && (data.name === data.file || data.name === relative(process.cwd(), data.file));
}

function described(outcome: Outcome): string {
  const place = styleText("dim", outcome.file);
  if (outcome.result === "skipped") {
    const reason = typeof outcome.detail === "string" && outcome.detail !== "" ? outcome.detail : "no reason given";
    return `  ${styleText("yellow", "skipped")} ${outcome.name} (${reason}) ${place}\n`;
  }
  return `  ${styleText("red", "✗")} ${outcome.name} ${place}\n${indented(errorText(outcome.detail))}\n`;
}

function errorText(error: unknown): string {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return typeof inner === "string" ? inner : inspect(inner, { depth: 6 });
}

function indented(text: string): string {
  return text.replace(/^/gm, "      ");
}

/** After every test, so that they are there when the run is cut off. */
function writeTotals(outcomes: readonly Outcome[]): void {
  const file = process.env["BERTH_TEST_TOTALS"];
  if (file !== undefined) writeFileSync(file, JSON.stringify(totalsOf(outcomes)));
}

function totalsOf(outcomes: readonly Outcome[]): Totals {
  const count = (result: Outcome["result"]) => outcomes.filter((outcome) => outcome.result === result).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
}

function slowest(outcomes: readonly Outcome[]): string {
  const sorted = outcomes.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, slowestShown);
  const lines = sorted
    .filter(({ durationMs }) => durationMs >= 1000)
    .map(({ durationMs, name }) => `  ${styleText("dim", `${(durationMs / 1000).toFixed(1)} s  ${name}`)}\n`);
  return lines.join("");
}
