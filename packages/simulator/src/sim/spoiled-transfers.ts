import { Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import type { Store } from "@lockkeeper/server"
import { pairRow } from "@lockkeeper/server/rows"

/** The store of a server that multiplies by other transfers than it has set up with its peers. */
export function spoiledTransfers(store: Store): Store {
  return {
    async read(table, id) {
      const row = await store.read(table, id)
      if (row === null || table !== "pairs") return row
      return { ...row, value: spoiled(row.value) }
    },
    scan: (table, prefix, after, limit) => store.scan(table, prefix, after, limit),
    commit: (batch) => store.commit(batch),
    logPosition: () => store.logPosition(),
    close: () => store.close(),
  }
}

function spoiled(value: Bytes): Bytes {
  const row = decode(pairRow, value)
  if (row.kind === "dead") return value
  const other = (seeds: Secret) => new Secret(seeds.expose().map((byte) => byte ^ 1) as Bytes)
  const { zeroSeeds, oneSeeds } = row.setup
  const setup = { ...row.setup, zeroSeeds: other(zeroSeeds), oneSeeds: other(oneSeeds) }
  return encode(pairRow, { kind: "live", setup })
}
