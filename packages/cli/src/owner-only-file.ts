import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

const MAX_SECRET_FILE = 4096
const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * The secret in a file that only its owner can read: its bytes without one final line break.
 *
 * @param setting - the setting that named the file, for the error.
 * @throws LockKeeperError `misconfigured` when it is a link, not a file, somebody else's, readable by others,
 *   empty or longer than 4096 bytes.
 */
export function readSecretFile(path: string, setting: string): Secret {
  // The open file is what is checked and read, so that it cannot be exchanged in between.
  const descriptor = openSecretFile(path, setting)
  try {
    checkOwnerOnly(descriptor, path, setting)
    const buffer: Bytes = new Uint8Array(MAX_SECRET_FILE + 1)
    let length = readSync(descriptor, buffer, 0, buffer.length, 0)
    if (length > MAX_SECRET_FILE) refuse(path, setting, "is longer than 4096 bytes", "Shorten it.")
    if (buffer[length - 1] === NEWLINE) length -= 1
    if (buffer[length - 1] === RETURN) length -= 1
    if (length <= 0) refuse(path, setting, "is empty", "Write the secret into it.")
    const secret = Secret.copyOf(buffer.subarray(0, length))
    buffer.fill(0)
    return secret
  } finally {
    closeSync(descriptor)
  }
}

function openSecretFile(path: string, setting: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : ""
    if (code === "ELOOP") refuse(path, setting, "is a symbolic link", "Name the file itself.")
    if (code === "ENOENT")
      refuse(path, setting, "does not exist", "Create it, or correct the path.")
    return refuse(path, setting, "cannot be opened", "Check who owns it.")
  }
}

function checkOwnerOnly(descriptor: number, path: string, setting: string): void {
  const { mode, uid } = fstatSync(descriptor)
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) {
    refuse(path, setting, "is not a regular file", "Name a regular file.")
  }
  const self = process.getuid?.()
  if (self !== undefined && uid !== self) {
    refuse(path, setting, "belongs to another user", `Make it yours: chown ${self} ${path}`)
  }
  if ((mode & 0o077) !== 0) {
    refuse(path, setting, "can be read or written by others", `Run: chmod 600 ${path}`)
  }
}

function refuse(path: string, field: string, what: string, remedy: string): never {
  throw new LockKeeperError("misconfigured", `The file "${path}" ${what}.`, { field, remedy })
}
