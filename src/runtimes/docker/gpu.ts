/** `resources.gpu` (contract 1.3.6) as Docker's device requests, or as the nodes of the vendor's driver. */
import type { DeviceMapping, HostConfig } from "../../docker-api/host-config.ts";
import { BerthError } from "../../errors.ts";
import type { Resources } from "../../spec/service-spec.ts";

export interface GpuFields {
  readonly hostConfig: Pick<HostConfig, "DeviceRequests">;
  readonly devices: readonly DeviceMapping[];
  readonly env: readonly string[];
}

const none: GpuFields = { hostConfig: {}, devices: [], env: [] };

export function gpuFields(gpu: Resources["gpu"], warnings: string[]): GpuFields {
  if (gpu === undefined) return none;
  const indexes = Array.from({ length: gpu.count ?? 1 }, (_, index) => index);
  const list = indexes.join(",");
  switch (gpu.vendor ?? "nvidia") {
    case "nvidia":
      return {
        hostConfig: { DeviceRequests: [{ Driver: "nvidia", DeviceIDs: indexes.map(String), Capabilities: [["gpu"]] }] },
        devices: [],
        env: [`NVIDIA_VISIBLE_DEVICES=${list}`, `CUDA_VISIBLE_DEVICES=${list}`],
      };
    case "amd":
      return { hostConfig: {}, devices: ["/dev/kfd", ...drmNodes(indexes)].map(device), env: [`ROCR_VISIBLE_DEVICES=${list}`, `HIP_VISIBLE_DEVICES=${list}`] };
    case "intel":
      return { hostConfig: {}, devices: drmNodes(indexes).map(device), env: [`ZE_AFFINITY_MASK=${list}`] };
    case "apple":
      throw new BerthError("unsupported", "resources.gpu: an engine in a virtual machine has no Apple GPU to give");
    default:
      warnings.push(`resources.gpu: vendor ${JSON.stringify(gpu.vendor)} is not known; its DRI render nodes are given`);
      return { hostConfig: {}, devices: drmNodes(indexes).map(device), env: [] };
  }
}

function drmNodes(indexes: readonly number[]): readonly string[] {
  return indexes.flatMap((index) => [`/dev/dri/renderD${128 + index}`, `/dev/dri/card${index}`]);
}

function device(path: string): DeviceMapping {
  return { PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm" };
}
