import { edwards25519, type Scalar, Secret } from "@lockkeeper/crypto"
import { decode, encode, toHex } from "@lockkeeper/encoding"
import type { Cluster } from "./cluster.ts"
import { heldKey, inServer } from "./held-key.ts"

/**
 * What an operator can do to its own server's share of an Ed25519 key while it does not run: spoil it, so
 * that the server cheats whoever signs with it. For rehearsals on a local cluster.
 */
export async function spoilShare(
  cluster: Pick<Cluster, "directory">,
  server: number,
  keyId: Uint8Array,
): Promise<void> {
  await inServer(cluster, server, async ({ store }) => {
    const id = toHex(new Uint8Array(keyId))
    const row = await store.read("keys", id)
    if (row === null) throw new Error("the server has no share of the key")
    const { keyPackage, ...rest } = decode(heldKey, row.value)
    const share = keyPackage.signingShare.expose() as Scalar
    const signingShare = new Secret(edwards25519.addScalars(share, edwards25519.one))
    const value = encode(heldKey, { ...rest, keyPackage: { ...keyPackage, signingShare } })
    await store.commit([{ kind: "put", table: "keys", id, ifVersion: row.version, value }])
  })
}
