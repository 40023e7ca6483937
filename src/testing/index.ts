/** `berth/testing`: the contract as a kit. A backend of your own runs it with {@link runContract}; docs/backends.md shows how. */
export type { CaseSpec, ContractCase, ContractContext, ContractImages, Finished, Need, Trait } from "./contract.ts";
export { traits } from "./contract.ts";
export { allCases } from "./cases/all.ts";
export { buildDemoImage, type DemoImage, type DemoOptions, type DemoVariant, demoConfigs } from "./demo-image.ts";
export { program, programs, step } from "./programs.ts";
export { type ContractOptions, type OpenedBackend, runContract } from "./run-contract.ts";
export { simulateProgram } from "./simulate.ts";
export { entryBlocks, type TarFixture, writeTar } from "./tar-writer.ts";
