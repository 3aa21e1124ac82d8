import { groupByName, ristretto255, type Scalar, Secret, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode } from "@lockkeeper/encoding"
import type { Store, Table } from "@lockkeeper/server"
import {
  accountRow,
  keyGenerationRow,
  keyRow,
  presignatureRow,
  type ReshareRunRow,
  reshareRunRow,
} from "@lockkeeper/server/rows"

/**
 * How a server cheats: it runs the real code over something else than it holds, and signs what comes
 * of it with its own key.
 *
 * - `evaluation`: its OPRF share is another one.
 * - `vector`: it shows another commitment vector of the account than was registered, which nothing
 *   proves: owners see one that most servers do not confirm.
 * - `dealing`: what it committed to in key generation does not open.
 * - `key-share`: its share of every key is another one, in FROST and in presigning.
 * - `presignature`: its part of every presignature is another one.
 * - `reshare-dealing`: what it has committed to in a refresh does not open.
 * - `reshare-shares`: it deals other shares than it has committed to, which fit nothing.
 */
export const CHEATS = ["evaluation", "vector", "dealing", "key-share", "presignature"] as const

/** Cheats that only show where operators are at work. */
export const OPERATED_CHEATS = ["reshare-dealing"] as const

/** One of these where shares move to others. */
export const MOVING_CHEATS = ["reshare-dealing", "reshare-shares"] as const

export type Cheat = (typeof CHEATS)[number] | (typeof MOVING_CHEATS)[number]

type Change = (row: Bytes) => Bytes

/** Applies `change` to the value that a row encodes. */
function changed<T>(codec: Codec<T>, change: (value: T) => T): Change {
  return (row) => encode(codec, change(decode(codec, row)))
}

type Dealing = NonNullable<Extract<ReshareRunRow["stage"], { kind: "opened" }>["state"]["dealing"]>

/** Applies `change` to what a dealer has opened a run with and not dealt yet. */
function ofDealing(change: (dealing: Dealing) => Dealing): Change {
  return changed<ReshareRunRow>(reshareRunRow, (run) => {
    const { stage } = run
    if (stage.kind !== "opened" || stage.state.dealing === null) return run
    const dealing = change(stage.state.dealing)
    return { ...run, stage: { kind: "opened", state: { ...stage.state, dealing } } }
  })
}

const CHANGES: Readonly<Record<Cheat, { readonly table: Table; readonly change: Change }>> = {
  evaluation: {
    table: "accounts",
    change: changed(accountRow, (account) => {
      const { active } = account
      if (active === null) return account
      const share = ristretto255.addScalars(active.share.expose() as Scalar, ristretto255.one)
      return { ...account, active: { ...active, share: new Secret(share) } }
    }),
  },
  vector: {
    table: "accounts",
    change: changed(accountRow, (account) => {
      const { active } = account
      if (active === null) return account
      const [first = ristretto255.generator, ...rest] = active.registration.vector
      const vector = [ristretto255.add(first, ristretto255.generator), ...rest]
      return { ...account, active: { ...active, registration: { ...active.registration, vector } } }
    }),
  },
  dealing: {
    table: "protocol-sessions",
    change: (row) => {
      // The same table holds rows of attempts that were opened once.
      const run = tryDecode(keyGenerationRow, row)
      if (run === null || run.stage.kind !== "opened") return row
      const { state } = run.stage
      const blinding = state.blinding.map((byte) => byte ^ 1)
      return encode(keyGenerationRow, {
        ...run,
        stage: { kind: "opened", state: { ...state, blinding } },
      })
    },
  },
  "key-share": {
    table: "keys",
    change: changed(keyRow, (key) => {
      const { keyPackage } = key
      const group = groupByName(keyPackage.public.group)
      const share = group.addScalars(keyPackage.signingShare.expose() as Scalar, group.one)
      return { ...key, keyPackage: { ...keyPackage, signingShare: new Secret(share) } }
    }),
  },
  presignature: {
    table: "presignatures",
    change: changed(presignatureRow, ({ madeAt, presignature }) => {
      const v = secp256k1.addScalars(presignature.v.expose() as Scalar, secp256k1.one)
      return { madeAt, presignature: { ...presignature, v: new Secret(v) } }
    }),
  },
  "reshare-dealing": {
    table: "reshare-runs",
    change: ofDealing(({ blinding, ...dealing }) => {
      return { ...dealing, blinding: blinding.map((byte) => byte ^ 1) }
    }),
  },
  "reshare-shares": {
    table: "reshare-runs",
    change: ofDealing(({ seed, ...dealing }) => {
      return { ...dealing, seed: new Secret(seed.expose().map((byte) => byte ^ 1)) }
    }),
  },
}

function tryDecode<T>(codec: Codec<T>, row: Bytes): T | null {
  try {
    return decode(codec, row)
  } catch {
    return null
  }
}

/** The store of a server that cheats in these ways. */
export function cheatingStore(store: Store, cheats: readonly Cheat[]): Store {
  const changes = cheats.map((cheat) => CHANGES[cheat])
  return {
    async read(table, id) {
      const row = await store.read(table, id)
      if (row === null) return null
      const own = changes.filter((one) => one.table === table)
      return { ...row, value: own.reduce((value, { change }) => change(value), row.value) }
    },
    scan: (table, prefix, after, limit) => store.scan(table, prefix, after, limit),
    commit: (batch) => store.commit(batch),
    logPosition: () => store.logPosition(),
    close: () => store.close(),
  }
}
