import { runNativeContract } from "../support/native-contract.ts";

runNativeContract("crun");
