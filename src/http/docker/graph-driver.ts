import type { GraphDriverReport } from "../../docker-api/system.ts";

/** Layers are stacked by overlayfs; the directories behind it are nobody's business. */
export const graphDriver: GraphDriverReport = { Name: "overlay2", Data: null };
