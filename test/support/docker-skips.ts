/**
 * What dockerd (20.10) does otherwise than the contract asks, each compared with the docker command on the same engine.
 */
import { readFileSync } from "node:fs";
import type { Trait } from "../../src/testing/contract.ts";

export const dockerLacks: Partial<Readonly<Record<Trait, string>>> = {
  "wait-status": "the engine reports exit codes only: an own exit(137) and a SIGKILL look alike",
  credentials: "docker's own client keeps them; the engine has no place for any",
  ipv6: 'docker network create --ipv6 without a subnet: "could not find an available, non-overlapping IPv6 address pool among the defaults"',
};

const delays = "dockerd chooses the delay before a restart itself, from 100 ms on: the moment in between cannot be held still";
const volumeOptions = "docker volume create takes any type and device; they are tried at the first mount";
const resolvers =
  "docker's name server hands names it does not know on to the host's resolvers, of which a test without a network has none: nslookup runs into its timeouts";

export const dockerSkips: Readonly<Record<string, string>> = {
  "a hard link in an archive takes nothing from the file it names: neither owner nor setuid":
    "docker cp gives the file the owner in the link's own entry, and the change of owner takes setuid away",
  "fractions of a second and attributes that users set come out of a container":
    "docker cp from a container tells times in whole seconds, and of attributes only security.capability",
  "a symlink that leads to itself is one of its directory's files, and can be looked at":
    "docker cp of such a link, from the container or to it: evalSymlinksInScope: too many links",
  "the history of a committed image tells the whole command of its container": "docker history of a docker commit tells the arguments without the entrypoint",
  "a used image that is removed by force loses its name at once and goes with its last container":
    "docker rmi -f leaves a used image without a name, which then stays until somebody prunes",
  "an image that got a name again stays when its container goes": "docker rmi -f of its only name removes an image under a container that does not run",
  "an address asked for that somebody has refuses the connect and changes nothing":
    "docker inspect shows the network of a docker network connect that failed, and docker network disconnect does not know of it",
  "saving is deterministic, whatever the order of the names": "docker save writes the times of today, and names in the order asked for",
  "an update that the kernel refuses in the middle is taken back": "docker update leaves the limits it had written when a later one is refused",
  "NUL bytes and invalid UTF-8 pass through a stream unchanged and become U+FFFD in entries":
    "docker logs of the json-file driver has U+FFFD for every byte that is no UTF-8; its driver local took a minute for 100,000 lines",
  "a log stays within its bound, and a follower reads across rotations without gap or repetition":
    "docker logs -f loses lines when the files of a small log are rotated under it: 6,772 of 16,000 came",
  "addresses come from the ip range, and a network that is full says so": "docker network create --ip-range gives one address of a /31, not two",
  "sequence numbers grow by one, and a cursor goes on right behind its event": "dockerd's events have no numbers: every stream counts its own from 1",
  "making, joining, leaving and removing a network are events, also at start and stop of a container":
    "docker events tells the disconnect of a running container twice",
  "between exit and restart it is initializing, with the exit in inspect and list": delays,
  "a stop while it waits gives the restart up, and waiters hear of it": delays,
  "only SIGKILL and the stop signal count as a stop by the user": delays,
  "a port and a page can be asked for": "docker's health checks are commands: it asks for no ports and pages",
  "a paused container is not probed": "dockerd goes on probing a paused container and calls it unhealthy",
  "connect and disconnect while running change what inspect shows": "docker network connect before API 1.44 takes no MAC address",
  "in a network of one's own everybody is found by name, alias, short id and host name, in any case of letters": resolvers,
  "names follow connect, disconnect and rename of a running container, and two with one alias are both found": resolvers,
  "tmpfs is empty at every start, has its size and mode and executes no set-user-id":
    "docker run --tmpfs /t:mode=750 and docker start: from the second start on the mode is that of the mount point, 755",
  "names that are no names, options and drivers that do not exist are refused": volumeOptions,
  "a volume with o=bind shows a directory of the host, which outlives it": volumeOptions,
  "volumes are seen through their targets, running and not; a tmpfs only while it runs": "docker cp does not see the files of a tmpfs",
  "an export of a running container is a whole archive": "docker export of a container that runs holds the mount points below /dev, /proc and /sys",
  "an abort in the middle of an archive leaves what came before, and no half file":
    "docker cp of an archive that breaks off leaves the part of the file that came",
  ...(hasAllCapabilities()
    ? {}
    : Object.fromEntries(
        [
          "a privileged exec has every capability and no seccomp filter, a plain one keeps the container's",
          "exec has the container's capabilities, all of them when privileged",
          "capabilities are added to the defaults and dropped after adding",
          "privileged: all capabilities, no profile, nothing masked, writable sysfs, the host's devices",
        ].map((name) => [name, "root of this host lacks some capabilities, and docker run --privileged wants them all: unable to apply caps"]),
      )),
};

function hasAllCapabilities(): boolean {
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "latin1"));
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  return BigInt(`0x${bounding}`) === (1n << BigInt(last + 1)) - 1n;
}
