import type { ContractCase } from "../contract.ts";
import { abandonCases } from "./abandon.ts";
import { archiveGetCases } from "./archive-get.ts";
import { archiveKernelCases } from "./archive-kernel.ts";
import { archivePutCases } from "./archive-put.ts";
import { attachCases } from "./attach.ts";
import { changesCases, commitCases } from "./changes.ts";
import { credentialCases } from "./credentials.ts";
import { diskUsageCases } from "./disk-usage.ts";
import { eventCases } from "./events.ts";
import { controlCases } from "./control.ts";
import { execCases, execPtyCases } from "./exec.ts";
import { execHandleCases } from "./exec-handles.ts";
import { imageArchiveCases } from "./image-archives.ts";
import { imageStoreCases } from "./image-store.ts";
import { healthCases } from "./health.ts";
import { imageCases } from "./images.ts";
import { lifecycleCases } from "./lifecycle.ts";
import { logCases } from "./logs.ts";
import { networkCases } from "./network.ts";
import { networksCases } from "./networks.ts";
import { observeCases } from "./observe.ts";
import { portOverrideCases } from "./port-override.ts";
import { processFieldCases } from "./process-fields.ts";
import { restartPolicyCases } from "./restart-policy.ts";
import { resourceFieldCases } from "./resource-fields.ts";
import { securityFieldCases } from "./security-fields.ts";
import { statsCases } from "./stats.ts";
import { stopKillCases } from "./stop-kill.ts";
import { storageFieldCases } from "./storage-fields.ts";
import { updateCases } from "./update.ts";
import { volumeCases } from "./volumes.ts";
import { waitCases } from "./wait.ts";

/** The whole contract. */
export const allCases: readonly ContractCase[] = [
  ...imageCases,
  ...imageStoreCases,
  ...imageArchiveCases,
  ...lifecycleCases,
  ...stopKillCases,
  ...controlCases,
  ...updateCases,
  ...waitCases,
  ...logCases,
  ...execCases,
  ...execPtyCases,
  ...execHandleCases,
  ...attachCases,
  ...eventCases,
  ...restartPolicyCases,
  ...healthCases,
  ...statsCases,
  ...observeCases,
  ...portOverrideCases,
  ...networkCases,
  ...networksCases,
  ...processFieldCases,
  ...storageFieldCases,
  ...volumeCases,
  ...diskUsageCases,
  ...credentialCases,
  ...securityFieldCases,
  ...resourceFieldCases,
  ...archiveGetCases,
  ...archivePutCases,
  ...archiveKernelCases,
  ...changesCases,
  ...commitCases,
  ...abandonCases,
];
