/** The changes of a container as a list, and as the tar of a layer (image-spec layer.md "Whiteouts"). */
import { DT } from "../internal/at.ts";
import { type DiffEntry, type DiffSink, TreeDiff } from "./tree-diff.ts";
import { type ByteSink, TreeTar } from "./tree-walk.ts";
import { tarHeader } from "./tar-writer.ts";

export interface DiffPlaces {
  /** The container's own directory, and all layers of its image together; open for reading. */
  readonly upper: number;
  readonly lower: number;
  /** Absolute paths where the runtime mounts something. */
  readonly mountPoints: readonly string[];
}

export interface Change {
  /** Byte string, without a leading slash. */
  readonly path: string;
  readonly kind: "added" | "modified" | "deleted";
}

export function listChanges({ upper, lower, mountPoints }: DiffPlaces): Change[] {
  const changes: Change[] = [];
  const sink: DiffSink = {
    entry: ({ kind, path }) => void changes.push({ kind, path }),
    deleted: (path) => void changes.push({ kind: "deleted", path }),
    opaque: () => {},
  };
  new TreeDiff(sink, mountPoints).run(upper, lower);
  return changes;
}

export function writeLayer(bytes: ByteSink, { upper, lower, mountPoints }: DiffPlaces, onSkip: (name: string, why: string) => void): void {
  const tar = new TreeTar(bytes, { onSkip });
  const hiding: string[] = [];
  const isHidden = (path: string): boolean => hiding.some((directory) => path.startsWith(`${directory}/`));
  const sink: DiffSink = {
    entry: (entry) => {
      if (isRepresentable(entry.path)) addEntry(tar, entry);
      else onSkip(entry.path, "has a name that means something else in a layer");
    },
    deleted: (path) => {
      // One marker of the directory already says that all of it is gone.
      if (!isHidden(path)) bytes.write(whiteout(path));
    },
    opaque: (path) => {
      hiding.splice(0, hiding.length, path);
      bytes.write(marker(`${path}/.wh..wh..opq`));
    },
  };
  new TreeDiff(sink, mountPoints).run(upper, lower);
  tar.finish();
}

function addEntry(tar: TreeTar, { path, dirFd, name, fd }: DiffEntry): void {
  if (fd !== undefined) tar.directoryAlone(fd, path);
  else tar.add(dirFd, name, path, DT.unknown);
}

/** Layers speak of deletions in names that begin with `.wh.`, so nothing else can be called so. */
function isRepresentable(path: string): boolean {
  return !/(^|\/)\.wh\./.test(path);
}

function whiteout(path: string): Buffer {
  const slash = path.lastIndexOf("/");
  return marker(`${path.slice(0, slash + 1)}.wh.${path.slice(slash + 1)}`);
}

/** An empty file; only its name counts. */
function marker(name: string): Buffer {
  return tarHeader({ type: "file", name, mode: 0, uid: 0, gid: 0, mtimeNs: 0n });
}
