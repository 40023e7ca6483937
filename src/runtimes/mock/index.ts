import { MockRuntime } from "./mock-runtime.ts";
import { World, type WorldOptions } from "./world.ts";

/**
 * A runtime in memory that obeys the same state machine, validation and errors as a real one. `control` is what a test
 * does behind the caller's back: fail or delay calls, end containers, write logs, script commands, fill the registry.
 * `reopen()` opens the same state again, as another process would.
 */
export function createMockRuntime(o: WorldOptions = {}): MockRuntime {
  return new MockRuntime(new World(o));
}
