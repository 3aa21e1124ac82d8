import { chmodSync, cpSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { groupByName, type Identifier, interpolate, type Scalar, Secret } from "@lockkeeper/crypto"
import { decode, utf8 } from "@lockkeeper/encoding"
import type { KeyPackage } from "@lockkeeper/protocols"
import type { Unsealed } from "@lockkeeper/server"
import { keyRow } from "@lockkeeper/server/rows"
import type { Cluster } from "../src/dev/cluster.ts"
import { passphraseFile } from "../src/dev/cluster-files.ts"
import type { ServerProcess } from "../src/dev/server-process.ts"
import { withServer } from "../src/server-directory.ts"

/** What a directory and its passphrase give away of every key. */
export type Stolen = ReadonlyMap<string, KeyPackage>

/** Everything that a server has, which is stopped meanwhile, so that its files are whole. */
export async function stealFrom(cluster: Cluster, server: ServerProcess): Promise<Stolen> {
  const { identifier, directory } = server
  await server.stop("SIGTERM")
  const copy = join(cluster.directory, `stolen-${identifier}-${performance.now()}`)
  cpSync(directory, copy, { recursive: true, preserveTimestamps: true })
  chmodSync(copy, 0o700)
  const phrase = readFileSync(passphraseFile(cluster.directory, identifier), "utf8").trim()
  const found = await withServer(copy, new Secret(utf8(phrase)), keysIn)
  await server.start(new AbortController().signal)
  return found
}

async function keysIn({ store }: Unsealed): Promise<Stolen> {
  const rows = await store.scan("keys", "", "", 64)
  return new Map(
    rows.map(({ id, value }) => {
      const { keyPackage } = decode(keyRow, value)
      const signingShare = Secret.copyOf(keyPackage.signingShare.expose())
      return [id, { ...keyPackage, signingShare }]
    }),
  )
}

/** Whether these shares are of one sharing of the key, of which it takes so many. */
export function isKey(packages: readonly KeyPackage[]): boolean {
  const { group: name, verifyingKey } = (packages[0] as KeyPackage).public
  const group = groupByName(name)
  const shares = new Map<Identifier, Scalar>(
    packages.map(({ identifier, signingShare }) => [identifier, signingShare.expose() as Scalar]),
  )
  return group.equal(group.multiplyBase(interpolate(group, shares)), verifyingKey)
}

/** The public key of every key that a command listed. */
export function publicOf(listed: Record<string, unknown>): unknown {
  const keys = listed["keys"] as { keyId: string; publicKey: string }[]
  return keys.map(({ keyId, publicKey }) => [keyId, publicKey])
}
