import { runNativeContract } from "../support/native-contract.ts";

runNativeContract("runc");
