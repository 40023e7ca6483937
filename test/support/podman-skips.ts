/**
 * What Podman (4.3, as Debian has it) does otherwise than the contract asks, or does not offer by Docker's API. Most reasons were
 * found by the suite and read in Podman's source, some tried with the command they name; those that begin with "seen:" tell what the suite saw.
 */
import type { RuntimeMethod } from "../../src/index.ts";
import type { Trait } from "../../src/testing/contract.ts";

export const podmanLacks: Partial<Readonly<Record<Trait, string>>> = {
  "wait-status": "the engine reports exit codes only: an own exit(137) and a SIGKILL look alike",
  credentials: "podman login keeps them on the client's side; the engine has no place for any",
  oom: "seen: podman inspect says OOMKilled false of a container that the kernel killed for want of memory",
  health: "podman's health checks are run by timers of systemd, which is not there in a test's namespaces: nothing is ever probed",
};

const load = "a case about load that Podman takes too long for in a suite: every start costs it about half a second of processor time, every line a write";
const eventWords =
  "podman events: a kill has no signal, an exec no command, a rename no old name, an OOM kill is not told, and stop is not told before the die";
const imageEvents = "podman events: an image's events carry no id, and the name only as it was asked for";
const noDelay = "podman restarts at once: there is no delay, and so no moment in between";
const seconds = "podman logs by Docker's API: time stamps are whole seconds";
const top = "podman top runs the ps of the container's own image with the arguments of Docker's, and shows what that ps can";
const noTrace = "podman start of a program that cannot run leaves the container created, with neither reason nor exit code";

const defaultNetwork = "Podman's default network is named podman: none is named bridge, though the mode bridge leads there";
const networkOptions = "podman network create keeps the options it knows, under names of its own, and inspect names no id of a network";
const netavark = "netavark (1.4)";
const ownEnvironment = "podman gives every container TERM=xterm and container=podman";
const dirNames = "podman cp: a directory's name in an archive has no slash at its end";
const putAnyway = "podman cp makes what is missing of the target, and writes also where the container may not";
const halfFiles = "podman cp of an archive that breaks off leaves the part of the file that came";
const follows = "podman's archive calls follow a symlink at the end of a path";
const plainFiles = "podman cp by Docker's API gives what is put in to the container's user, without setuid";
const commits = "podman commit by Docker's API writes a comment and a history of its own";
const changes = "podman diff lists what Podman itself makes: mount points, and files below /etc";
const volumeOptions = "podman volume create takes any option; they are tried at the first mount, and sizes need project quotas";
const diskUsage = "podman system df by Docker's API names images by their tag alone, and tells neither layers nor sharing";

export const podmanUnseen: Partial<Readonly<Record<RuntimeMethod, string>>> = { topContainer: top, changesContainer: changes };

export const podmanSkips: Readonly<Record<string, string>> = {
  "the log is complete right after the wait, fifty times": load,
  "a hundred thousand lines arrive in order": load,
  "a hundred sessions at once, with and without a terminal, each get their own answers": load,
  "fifty addresses come and go and are not used up": load,
  "pullImageStream of content that is new tells of its layers, and at the end digest and status":
    "podman pull by Docker's API tells neither of layers unpacked nor of the digest",
  "what happens to an image is told in Docker's words": imageEvents,
  "what was saved and removed is the same after the load, under its names, and runs":
    "podman image inspect counts the manifest into the size, and podman load writes that anew",
  "saving is deterministic, whatever the order of the names": "podman save keeps the names in the order asked for",
  "an image that is pushed can be pulled by its new name, and resolve knows it":
    "Podman has no /distribution before 5: what a registry has cannot be asked; resolve is refused as unsupported",
  "a program that is missing fails the start with 127, which is remembered": noTrace,
  "a program that is not executable fails the start with 126, which is remembered": noTrace,
  "of several removals at once one succeeds, the others say conflict or not found": "podman rm -f answers several removals of one container with success",
  "top shows the processes of the container alone, commands whole": top,
  "top takes columns, wants the pid among them and no other one of its name": top,
  "top shows processes that were exec'd, also while the container is paused, and is refused when it does not run": top,
  "the pid of an exec is one the host knows": top,
  "time stamps come when asked for, and only then": seconds,
  "since and until select by time, inclusively, before tail does": seconds,
  "a log stays within its bound, and a follower reads across rotations without gap or repetition":
    "podman logs: conmon empties the file at its limit; one file is kept, and what was in it is gone",
  "lines of both channels stay in the order in which they were written":
    "conmon reads the channels one after the other: on a busy machine lines written shortly after another change places",
  "a paused container stands still, and is still paused for another engine process":
    "seen: podman stats of a container paused just before count a few microseconds more",
  "of a range of host ports the first free one is taken": "podman by Docker's API takes no range of host ports",
  "an address asked for that somebody has refuses the connect and changes nothing":
    "podman inspect fails after a podman network connect that failed: network inspection mismatch",
  "a look at a path tells name, size, type, mode and time": "podman's archive calls name the root .",
  "a symlink that leads to itself is one of its directory's files, and can be looked at": follows,
  "a hard link in an archive takes nothing from the file it names: neither owner nor setuid": plainFiles,
  "fractions of a second and attributes that users set come out of a container": "podman cp: times are whole seconds",
  "a privileged exec has every capability and no seccomp filter, a plain one keeps the container's":
    "podman exec --privileged gives the capabilities and keeps the seccomp filter",
  "attached with the log, one sees what was written before and what comes, each once":
    "podman's attach with logs=1 breaks its own frames: the newline of a line stands behind the frame that should hold it",
  "a stop is told as kill, die and stop, a kill as kill and die, with their signals": eventWords,
  "an OOM kill is told before the die that follows": eventWords,
  "a restart is told after the stop and the start it is": eventWords,
  "an exec is told as created, started and ended, with its command and code": eventWords,
  "a rename is told with both names": eventWords,
  "a follower that leaves and comes back with its cursor misses nothing and sees nothing twice": eventWords,
  "between exit and restart it is initializing, with the exit in inspect and list": noDelay,
  "a stop while it waits gives the restart up, and waiters hear of it": noDelay,
  "only SIGKILL and the stop signal count as a stop by the user": noDelay,
  "a start by hand does not wait for the delay, and removal works while it waits": noDelay,
  "a used image that is removed by force loses its name at once and goes with its last container":
    "podman untag leaves an image without a name, which then stays until somebody prunes",
  "limits appear in the statistics": "podman stats by Docker's API: the limit of processes is always 0",
  "history is newest first, with id and tags on the newest row and sizes that add up": "podman history by Docker's API tells no tags",
  "the same archive loaded twice, in pieces, gzipped and quietly gives the same":
    "seen: podman load by Docker's API refuses an archive that is gzip'd as a whole",
  "import makes an image of a tar, with changes, comment and name": "podman import -c 'ENV A=1 B=\"two words\"' makes one variable, A",
  "import refuses what is no tar, bad changes and bad names, and leaves nothing": "podman import makes an image of whatever it is given",
  "on_failure starts it again as often as allowed, then leaves it": "seen: podman inspect has a RestartCount of 0 after the last restart",
  "following the log goes on over restarts, without gap or repetition, until the removal":
    "podman calls a container exited between two runs, and its log is at an end",
  "restarts are told as die and start, without a user's stop": "podman events call a restart by policy and one by a user the same",
  "on the default bridge a container has an address of its own while it runs": defaultNetwork,
  "the predefined networks are listed and inspected, and cannot be made or removed": defaultNetwork,
  "a host port in use fails the start by name, and serves when it is free again": noTrace,
  "host network is this host's namespace, network container the other container's": "seen: a container in the network of another keeps a host name of its own",
  "resolvers and extra hosts are in the files, host-gateway is the gateway": "podman 4.3 writes host-gateway into /etc/hosts as it stands",
  "bridges are isolated from each other": `${netavark} isolates only networks made with its own option isolate`,
  "a network that was made is inspected by name, id and prefix, with all it was made with": networkOptions,
  "a network with a running container stays, and tells its address; after the stop it can go": networkOptions,
  "fixed addresses and a mac address are had, and refused where they cannot be":
    "podman start says of an address that is taken whose it is, not that it is in use",
  "addresses come from the ip range, and a network that is full says so": "podman network create --ip-range gives one address of a /31, not two",
  "a port is published in both families of a container that has both, and on IPv6 only where it has that":
    "podman publishes on every address of both families, and tells of one",
  "connect and disconnect while running change what inspect shows": networkOptions,
  "connect and disconnect of a container that does not run count from its next start": "seen: a network tells the containers that do not run as well",
  "making, joining, leaving and removing a network are events, also at start and stop of a container":
    "podman events tell of networks only that a container joined or left one while it ran",
  "in a network of one's own everybody is found by name, alias, short id and host name, in any case of letters": `${netavark} and aardvark-dns know names and aliases, but no host names`,
  "names follow connect, disconnect and rename of a running container, and two with one alias are both found": `${netavark} tells aardvark-dns nothing of a rename`,
  "a container that joins a network while it runs reaches it at once, by both families, and no longer after it left":
    "podman network connect gives a container one more default route",
  "published ports follow the way out to another network, and serve on IPv6 too": "podman network connect moves published ports to the network that came last",
  "environment: the spec's variables win over the image's, the rest has its defaults": ownEnvironment,
  "the engine's own environment does not leak into a container": ownEnvironment,
  "the host name is the spec's, in the kernel and in the files": "podman writes /etc/hostname without a newline",
  "a VOLUME of the image becomes an anonymous volume with the image's files, unless something is mounted there":
    "seen: a tmpfs over a VOLUME of the image has the image's files",
  "a bind of a path that does not exist is refused and makes nothing": "podman by Docker's API makes the missing directory of a bind",
  "names that are no names, options and drivers that do not exist are refused": volumeOptions,
  "a volume with o=bind shows a directory of the host, which outlives it": volumeOptions,
  "a volume of type tmpfs is shared by the containers that run, limited in size, and empty once none does": volumeOptions,
  "prune takes unused anonymous volumes; with all named ones too; labels choose; used ones stay":
    "podman volume prune by Docker's API does not tell anonymous volumes from others",
  "a volume that was made empty gets the image's files on its first use, with nocopy it stays empty": "podman by Docker's API reads over NoCopy",
  "a volume's events tell when it was made, mounted by whom, let go and removed": "podman events of volumes: made and removed, no more",
  "disk usage names every image with its size, its sharing and the containers that use it": diskUsage,
  "disk usage counts a layer of several images once": diskUsage,
  "disk usage has the bytes of a container's own layer, and whether it runs":
    "podman system df counts into a container's layer what Podman writes there itself",
  "ulimits are set, a missing half is the other one": "podman raises RLIMIT_NPROC of its own accord, which root of this host may not",
  "entries of a directory begin with its base name, with ./ after a trailing dot, and with / for the root": dirNames,
  "volumes are seen through their targets, running and not; a tmpfs only while it runs": dirNames,
  "a tar is written below a directory, parents made as needed, and programs see it": dirNames,
  "a path that is not there, or no path at all, is refused before anything is sent": follows,
  "a symlink at the end of a path is copied itself, one on the way or before a slash is followed inside the container": follows,
  "a directory is replaced by a file and a file by a directory, unless that is refused": dirNames,
  "a committed image starts as its container did, with the changes asked for, and without secrets": commits,
  "the history of a committed image tells the whole command of its container": commits,
  "an archive goes only into a directory that is there": putAnyway,
  "a read-only root and a read-only volume take nothing, a volume on a read-only root does": putAnyway,
  "symlinks inside never lead to the host's files": putAnyway,
  "what is no archive, or half of one, is refused, and no half file stays": halfFiles,
  "an abort in the middle of an archive leaves what came before, and no half file": halfFiles,
  "what is put in comes out again: types, modes, owners, times, hard links, attributes, any name": plainFiles,
  "an export has types, owners and attributes, and reads as the container's root elsewhere": plainFiles,
  "owners come from the archive, or with copyUidGid are the container's user, if it has one": plainFiles,
  "changes tell added, modified and deleted, whole trees once, and nothing of what is equal": changes,
  "a container that changed nothing has no changes, before, while and after it runs": changes,
  "files a container made are its changes, contents of volumes and tmpfs are not": changes,
  "copies, exports and commits are told as events, in Docker's words": "podman events tell of commits, and of copies and exports nothing",
};
