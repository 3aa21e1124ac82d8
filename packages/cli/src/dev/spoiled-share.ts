import { readFileSync } from "node:fs"
import { KEY_STATES, type KeyState } from "@lockkeeper/api"
import { edwards25519, type Scalar, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  decode,
  encode,
  fixedBytes,
  oneOf,
  struct,
  toHex,
  utf8,
} from "@lockkeeper/encoding"
import { type KeyPackage, keyPackageCodec } from "@lockkeeper/protocols"
import { withServer } from "../server-directory.ts"
import type { Cluster } from "./cluster.ts"
import { passphraseFile, serverDirectory } from "./cluster-files.ts"

// As the server writes it; a change of it fails here with a DecodeError.
const keyRow = struct<{ accountId: Bytes; state: KeyState; keyPackage: KeyPackage }>({
  accountId: fixedBytes(32),
  state: oneOf(...KEY_STATES),
  keyPackage: keyPackageCodec,
})

/**
 * What an operator can do to its own server's share of an Ed25519 key while it does not run: spoil it, so
 * that the server cheats whoever signs with it. For rehearsals on a local cluster.
 */
export async function spoilShare(
  { directory }: Pick<Cluster, "directory">,
  server: number,
  keyId: Uint8Array,
): Promise<void> {
  const phrase = readFileSync(passphraseFile(directory, server), "utf8").trim()
  const passphrase = new Secret(utf8(phrase))
  await withServer(serverDirectory(directory, server), passphrase, async ({ store }) => {
    const id = toHex(new Uint8Array(keyId))
    const row = await store.read("keys", id)
    if (row === null) throw new Error("the server has no share of the key")
    const { keyPackage, ...rest } = decode(keyRow, row.value)
    const share = keyPackage.signingShare.expose() as Scalar
    const signingShare = new Secret(edwards25519.addScalars(share, edwards25519.one))
    const value = encode(keyRow, { ...rest, keyPackage: { ...keyPackage, signingShare } })
    await store.commit([{ kind: "put", table: "keys", id, ifVersion: row.version, value }])
  })
}
