/** One sample of `GET /containers/{id}/stats`. Times of CPUs are nanoseconds. */

export interface StatsReport {
  readonly read: string;
  readonly preread: string;
  readonly name: string;
  readonly id: string;
  readonly pids_stats: { readonly current?: number | undefined; readonly limit?: number | undefined };
  readonly blkio_stats: BlkioStats;
  readonly num_procs: number;
  readonly storage_stats: object;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: MemoryStats;
  /** Interface → counters. */
  readonly networks?: Readonly<Record<string, InterfaceStats>> | undefined;
}

export interface CpuStats {
  readonly cpu_usage: {
    readonly total_usage: number;
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
    /** cgroup v1 only. */
    readonly percpu_usage?: readonly number[] | undefined;
  };
  readonly system_cpu_usage?: number | undefined;
  readonly online_cpus?: number | undefined;
  readonly throttling_data: { readonly periods: number; readonly throttled_periods: number; readonly throttled_time: number };
}

export interface MemoryStats {
  readonly usage?: number | undefined;
  readonly max_usage?: number | undefined;
  readonly failcnt?: number | undefined;
  readonly limit?: number | undefined;
  /** Lines of `memory.stat`. */
  readonly stats?: Readonly<Record<string, number>> | undefined;
}

export interface BlkioStats {
  readonly io_service_bytes_recursive: readonly BlkioEntry[] | null;
  readonly io_serviced_recursive: readonly BlkioEntry[] | null;
  readonly io_queue_recursive: readonly BlkioEntry[] | null;
  readonly io_service_time_recursive: readonly BlkioEntry[] | null;
  readonly io_wait_time_recursive: readonly BlkioEntry[] | null;
  readonly io_merged_recursive: readonly BlkioEntry[] | null;
  readonly io_time_recursive: readonly BlkioEntry[] | null;
  readonly sectors_recursive: readonly BlkioEntry[] | null;
}

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  /** `Read`, `Write`, …, in either case. */
  readonly op: string;
  readonly value: number;
}

export interface InterfaceStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}
