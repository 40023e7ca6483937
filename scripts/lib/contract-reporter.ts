/** Reporter for `node --test` on a contract file: prints failures, and writes every case's outcome to BERTH_CONTRACT_OUTCOMES. */
import { writeFileSync } from "node:fs";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";
import type { CaseOutcome } from "./contract-rows.ts";

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const outcomes: CaseOutcome[] = [];
  for await (const event of events) {
    if (event.type === "test:stderr") yield event.data.message;
    const last = outcomes.at(-1);
    // What a case reports follows its result.
    if (event.type === "test:diagnostic" && event.data.message.startsWith("methods ") && last !== undefined) {
      outcomes.splice(-1, 1, { ...last, methods: event.data.message.split(" ").slice(1) });
    }
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { data } = event;
    if (data.details.type === "suite" || data.nesting === 0) continue;
    const skipped = data.skip === undefined ? undefined : String(data.skip);
    const result = event.type === "test:fail" ? "failed" : skipped === undefined ? "passed" : "skipped";
    outcomes.push({ name: data.name, result, reason: skipped });
    if (event.type === "test:fail") yield `failed: ${data.name}\n${inspect(event.data.details.error.cause ?? event.data.details.error)}\n`;
  }
  const file = process.env["BERTH_CONTRACT_OUTCOMES"];
  if (file !== undefined) writeFileSync(file, JSON.stringify(outcomes));
}
