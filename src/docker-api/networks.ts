/** Networks. */
import type { EndpointSettings } from "./endpoint-settings.ts";

export interface IpamPool {
  readonly Subnet?: string | undefined;
  readonly IPRange?: string | undefined;
  readonly Gateway?: string | undefined;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | null | undefined;
}

export interface Ipam {
  readonly Driver?: string | undefined;
  readonly Options?: Readonly<Record<string, string>> | null | undefined;
  readonly Config?: readonly IpamPool[] | null | undefined;
}

/** `POST /networks/create`. */
export interface NetworkCreateBody {
  readonly Name: string;
  readonly CheckDuplicate?: boolean | undefined;
  readonly Driver?: string | undefined;
  readonly Scope?: string | undefined;
  readonly Internal?: boolean | undefined;
  readonly Attachable?: boolean | undefined;
  readonly Ingress?: boolean | undefined;
  readonly ConfigOnly?: boolean | undefined;
  readonly ConfigFrom?: { readonly Network?: string | undefined } | null | undefined;
  readonly IPAM?: Ipam | null | undefined;
  readonly EnableIPv4?: boolean | undefined;
  readonly EnableIPv6?: boolean | undefined;
  readonly Options?: Readonly<Record<string, string>> | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
}

export interface NetworkCreated {
  readonly Id: string;
  readonly Warning: string;
}

/** One of `GET /networks` (there without `Containers` since 1.28) and `GET /networks/{id}`. */
export interface NetworkInspect {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: "local" | "global" | "swarm" | (string & {});
  readonly Driver: string;
  readonly EnableIPv4?: boolean | undefined;
  readonly EnableIPv6: boolean;
  readonly IPAM: Ipam;
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  /** By container id. */
  readonly Containers: Readonly<Record<string, NetworkMember>>;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
}

export interface NetworkMember {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** With the length of the prefix. */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

/** `POST /networks/{id}/connect`. */
export interface NetworkConnectBody {
  readonly Container: string;
  readonly EndpointConfig?: EndpointSettings | null | undefined;
}

/** `POST /networks/{id}/disconnect`. */
export interface NetworkDisconnectBody {
  readonly Container: string;
  readonly Force?: boolean | undefined;
}

export interface NetworksPruned {
  readonly NetworksDeleted: readonly string[] | null;
}
