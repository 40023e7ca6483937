/** A container's leg in a network: `NetworkingConfig` of create, `NetworkSettings` of inspect and list, `connect`. */

export interface EndpointIpamConfig {
  readonly IPv4Address?: string | undefined;
  readonly IPv6Address?: string | undefined;
  readonly LinkLocalIPs?: readonly string[] | null | undefined;
}

export interface EndpointSettings {
  readonly IPAMConfig?: EndpointIpamConfig | null | undefined;
  readonly Links?: readonly string[] | null | undefined;
  readonly Aliases?: readonly string[] | null | undefined;
  readonly MacAddress?: string | undefined;
  readonly DriverOpts?: Readonly<Record<string, string>> | null | undefined;
  readonly GwPriority?: number | undefined;
  readonly NetworkID?: string | undefined;
  readonly EndpointID?: string | undefined;
  readonly Gateway?: string | undefined;
  readonly IPAddress?: string | undefined;
  readonly IPPrefixLen?: number | undefined;
  readonly IPv6Gateway?: string | undefined;
  readonly GlobalIPv6Address?: string | undefined;
  readonly GlobalIPv6PrefixLen?: number | undefined;
  readonly DNSNames?: readonly string[] | null | undefined;
}

export interface NetworkingConfig {
  /** Network name → leg. */
  readonly EndpointsConfig?: Readonly<Record<string, EndpointSettings | null>> | null | undefined;
}
