import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"

function refuse(field: string, message: string, remedy: string): never {
  throw new LockKeeperError("misconfigured", message, { field, remedy })
}

function checkOwner(uid: number, path: string, field: string): void {
  const self = process.getuid?.()
  if (self !== undefined && uid !== self) {
    refuse(field, `"${path}" belongs to another user.`, `Make it yours: chown ${self} "${path}"`)
  }
}

/** What is at a path; undefined where nothing is, or nothing can be, as under a name that is too long. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined
    throw error
  }
}

/** Refuses a directory that anybody else can enter. @throws LockKeeperError `misconfigured` */
export function checkOwnerOnlyDirectory(path: string, field: string): void {
  const stats = statusOf(path)
  if (stats === undefined) {
    refuse(field, `There is no directory "${path}".`, "Run `lockkeeper server init` first.")
  }
  if (!stats.isDirectory()) refuse(field, `"${path}" is not a directory.`, "Name a directory.")
  checkOwner(stats.uid, path, field)
  if ((stats.mode & 0o077) !== 0) {
    refuse(field, `Others can enter the directory "${path}".`, `Run: chmod 700 "${path}"`)
  }
}

/** What to do about a missing file, by its field. */
const MISSING: Readonly<Record<string, string>> = {
  config: "Write it; docs/operating.md shows the least it takes.",
  seal: "Name a server's directory, or restore the file: without it the database stays sealed.",
  "tls.certificate": "Put the certificate there, or correct the path in server.json.",
  "tls.key": "Put the key there, or correct the path in server.json.",
}

function openFile(path: string, field: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : ""
    if (code === "ELOOP") {
      refuse(field, `"${path}" is a symbolic link.`, "Name the file itself.")
    }
    if (code === "ENOENT") {
      refuse(field, `There is no file "${path}".`, MISSING[field] ?? "Correct the path.")
    }
    return refuse(field, `The file "${path}" cannot be opened.`, "Check who may read it.")
  }
}

/** Who may read a file: nobody but its owner, or anybody, who then must not be able to write it. */
type Access = "owner-only" | "public"

function checkFile(descriptor: number, path: string, field: string, access: Access): number {
  const stats = fstatSync(descriptor)
  if (!stats.isFile()) refuse(field, `"${path}" is not a regular file.`, "Name a regular file.")
  if (access === "owner-only") checkOwner(stats.uid, path, field)
  if (access === "owner-only" && (stats.mode & 0o077) !== 0) {
    refuse(field, `Others can read or write "${path}".`, `Run: chmod 600 "${path}"`)
  }
  if ((stats.mode & 0o022) !== 0) {
    refuse(field, `Others can write "${path}".`, `Run: chmod go-w "${path}"`)
  }
  return stats.size
}

/**
 * The bytes of a file, checked after it was opened so that it cannot be exchanged in between.
 *
 * @throws LockKeeperError `misconfigured` naming `field`.
 */
export function readChecked(path: string, field: string, access: Access, maxLength: number): Bytes {
  const descriptor = openFile(path, field)
  try {
    if (checkFile(descriptor, path, field, access) > maxLength) {
      refuse(field, `"${path}" is longer than ${maxLength} bytes.`, "Name the right file.")
    }
    return new Uint8Array(readFileSync(descriptor))
  } finally {
    closeSync(descriptor)
  }
}

/** Refuses a file that is missing or that anybody else can read. @throws likewise */
export function checkOwnerOnlyFile(path: string, field: string): void {
  const descriptor = openFile(path, field)
  try {
    checkFile(descriptor, path, field, "owner-only")
  } finally {
    closeSync(descriptor)
  }
}

/** Writes a file whole and durably: a crash leaves the old one or the new one. */
export function writeOwnerOnly(path: string, content: Uint8Array): void {
  const draft = `${path}.new`
  const descriptor = openSync(draft, "w", 0o600)
  try {
    // The umask narrows the mode of a new file and leaves that of an old draft alone.
    chmodSync(draft, 0o600)
    // Unlike one write, which a disk that fills up may cut short without an error.
    writeFileSync(descriptor, content)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(draft, path)
  syncDirectory(dirname(path))
}

/** Makes names durable that were given, changed or removed in a directory. */
export function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
