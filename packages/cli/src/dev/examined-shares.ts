import { groupByName, type Identifier, interpolate, type Scalar } from "@lockkeeper/crypto"
import { decode, equalBytes, toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import type { Cluster } from "./cluster.ts"
import { heldKey, inServer } from "./held-key.ts"

/** Most keys of a server that are looked at. */
const MOST = 256

interface Shared {
  readonly sharing: sharing.Sharing
  readonly shares: ReadonlyMap<Identifier, Scalar>
}

/**
 * What is wrong with the shares that servers hold of keys while none of them runs, in words: each holds
 * one, all are of one sharing, and any of them that are enough make the key. For rehearsals on a local
 * cluster, which has the secrets of all its servers anyway.
 */
export async function examineShares(
  cluster: Pick<Cluster, "directory">,
  holders: readonly number[],
): Promise<readonly string[]> {
  const problems: string[] = []
  const keys = new Map<string, Shared>()
  for (const holder of holders) {
    const rows = await inServer(cluster, holder, ({ store }) => store.scan("keys", "", "", MOST))
    for (const { id, value } of rows) {
      const { signingShare, public: pkg } = decode(heldKey, value).keyPackage
      const held = sharing.sharingOfKey(pkg)
      const known = keys.get(id) ?? { sharing: held, shares: new Map() }
      const shares = new Map(known.shares).set(holder, signingShare.expose() as Scalar)
      keys.set(id, { ...known, shares })
      if (isSame(known.sharing, held)) continue
      problems.push(`server ${holder} holds generation ${held.keyEpoch} of ${id}, another one`)
    }
  }
  if (keys.size === 0) problems.push("no server holds a key")
  for (const [id, shared] of keys) {
    const lacking = holders.filter((holder) => !shared.shares.has(holder))
    if (lacking.length > 0) problems.push(`servers ${lacking} hold no share of ${id}`)
    problems.push(...misfits(id, shared))
  }
  return problems
}

function isSame(a: sharing.Sharing, b: sharing.Sharing): boolean {
  return toHex(sharing.sharingDigest(a)) === toHex(sharing.sharingDigest(b))
}

/** Subsets that are enough and make another key. */
function misfits(id: string, { sharing: held, shares }: Shared): readonly string[] {
  const group = groupByName(held.group)
  return subsets([...shares], held.minSigners)
    .filter((some) => {
      const secret = interpolate(group, new Map(some))
      return !equalBytes(group.multiplyBase(secret), held.verifyingKey)
    })
    .map((some) => `shares of servers ${some.map(([holder]) => holder)} do not make ${id}`)
}

function subsets<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]),
  )
}
