/** What the contract showed about each method, from the calls that succeeded while a case ran. */
import { type RuntimeMethod, runtimeMethods } from "../../src/runtime/capabilities.ts";
import type { ContractCase } from "../../src/testing/contract.ts";

export interface CaseOutcome {
  /** The case's own name. */
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  readonly reason?: string | undefined;
  /** Names of the methods that fulfilled at least once. */
  readonly methods?: readonly string[] | undefined;
}

export interface MethodRow {
  readonly method: RuntimeMethod;
  /** Cases that passed and in which the method did its work. */
  readonly passed: number;
  /** Cases that need the method, by what became of them. */
  readonly failed: number;
  readonly skipped: number;
}

/** One row for each method, in the contract's order. */
export function methodRows(cases: readonly ContractCase[], outcomes: readonly CaseOutcome[]): readonly MethodRow[] {
  const byName = new Map(outcomes.map((outcome) => [outcome.name, outcome.result]));
  return runtimeMethods.map((method) => {
    const needing = cases.filter(({ needs }) => needs.includes(method)).flatMap(({ name }) => byName.get(name) ?? []);
    const passed = outcomes.filter(({ result, methods }) => result === "passed" && methods?.includes(method) === true).length;
    return { method, passed, failed: needing.filter((one) => one === "failed").length, skipped: needing.filter((one) => one === "skipped").length };
  });
}
