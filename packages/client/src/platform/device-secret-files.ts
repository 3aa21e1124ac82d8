import { createHmac, getRandomValues, randomUUID } from "node:crypto"
import { constants, type Stats } from "node:fs"
import { link, mkdir, open, unlink } from "node:fs/promises"
import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { DeviceSecrets } from "../dependencies.ts"

const LENGTH = 32

/** One file for each account in a directory of the owner's, readable by nobody else. */
export function deviceSecretFiles(directory: string): DeviceSecrets {
  const derive = async (accountId: Bytes, input: Bytes): Promise<Secret | null> => {
    const secret = await read(pathOf(directory, accountId))
    if (secret === null) return null
    const derived = createHmac("sha256", secret).update(input).digest()
    secret.fill(0)
    return new Secret(new Uint8Array(derived))
  }
  return {
    derive,
    async deriveOrMake(accountId, input) {
      const known = await derive(accountId, input)
      if (known !== null) return known
      await make(directory, pathOf(directory, accountId))
      return (await derive(accountId, input)) as Secret
    },
  }
}

/** Where no directory was named: nothing to keep, and a refusal that says what to do. */
export const noDeviceSecrets: DeviceSecrets = {
  derive: async () => null,
  deriveOrMake: async () => {
    throw new LockKeeperError("misconfigured", "There is no place for a device secret.", {
      field: "deviceSecrets",
      remedy: "Name a directory in `deviceSecrets` when connecting.",
    })
  },
}

function pathOf(directory: string, accountId: Bytes): string {
  return join(directory, `${toHex(accountId)}.device`)
}

async function read(path: string): Promise<Bytes | null> {
  // The open file is what is checked and read, so that it cannot be exchanged in between.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) =>
    unopened(path, error),
  )
  if (file === null) return null
  try {
    checkOwnerOnly(await file.stat(), path)
    const bytes = new Uint8Array(await file.readFile())
    if (bytes.length === LENGTH) return bytes
    throw refused(path, `is not ${LENGTH} bytes`, "Bring the file back from where you keep it.")
  } finally {
    await file.close()
  }
}

function unopened(path: string, { code }: NodeJS.ErrnoException): null {
  if (code === "ENOENT") return null
  if (code === "ELOOP") throw refused(path, "is a symbolic link", "Put the file itself there.")
  throw refused(path, "cannot be opened", "Check who owns it.")
}

function checkOwnerOnly({ mode }: Stats, path: string): void {
  if ((mode & 0o077) === 0) return
  throw refused(path, "can be read or written by others", `Run: chmod 600 ${path}`)
}

/** Whole and on disk under its name, or not there: of two that make it at once, one does. */
async function make(directory: string, path: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, "wx", 0o600)
  try {
    const secret = getRandomValues(new Uint8Array(LENGTH))
    await file.writeFile(secret)
    secret.fill(0)
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    await unlink(draft)
  }
  const parent = await open(directory, "r")
  await parent.sync().finally(() => parent.close())
}

function refused(path: string, what: string, remedy: string): LockKeeperError {
  const message = `The device secret "${path}" ${what}.`
  return new LockKeeperError("misconfigured", message, { field: "deviceSecrets", remedy })
}
