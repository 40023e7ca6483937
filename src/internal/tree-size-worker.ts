/** The thread of `sizesOfTrees`. */
import { parentPort, workerData } from "node:worker_threads";
import { sizeOfTree } from "./tree-size.ts";

parentPort?.postMessage((workerData as readonly string[]).map((directory) => sizeOfTree(directory)));
