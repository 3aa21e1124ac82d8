import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  digestOf,
  type HeldShare,
  inForceIn,
  nameOf,
  pendingIn,
  shown,
  soundServers,
  type Written,
  writtenIn,
} from "./sharings.ts"

/** What honest servers have put in force and confirmed, as long as fewer than t are not sound. */
export const generations: Checker = {
  name: "generations",
  holds:
    "no two sharings of one generation are in force, nobody confirms a generation twice, and no public key changes",
  check: (observed) => {
    const unsound = observed.servers.length - soundServers(observed).length
    return [
      ...(unsound < observed.minSigners ? twoInForce(observed) : []),
      ...changedKeys(observed),
      ...confirmedTwice(observed),
    ]
  },
}

function soundlyWritten(
  observed: Observed,
  tables: Parameters<typeof writtenIn>[1],
): readonly Written[] {
  const sound = soundServers(observed)
  return writtenIn(observed, tables).filter(({ commit }) => sound.includes(commit.server))
}

function everInForce(observed: Observed): readonly (HeldShare & { server: Identifier })[] {
  return soundlyWritten(observed, ["keys", "accounts"]).flatMap(({ commit, table, value }) =>
    value === null ? [] : inForceIn(table, value).map((one) => ({ ...one, server: commit.server })),
  )
}

/** Another password has an account deal anew: its context is another one then. */
function twoInForce(observed: Observed): readonly string[] {
  const first = new Map<string, { readonly digest: string; readonly server: Identifier }>()
  return everInForce(observed).flatMap((one) => {
    const { context, rosterEpoch, keyEpoch } = one.sharing
    const place = `${nameOf(one)}/${toHex(context)}/${rosterEpoch}/${keyEpoch}`
    const [digest, { server }] = [digestOf(one), one]
    const before = first.get(place)
    if (before === undefined) first.set(place, { digest, server })
    if (before === undefined || before.digest === digest) return []
    return [`servers ${before.server} and ${server} have two sharings of ${shown(one)} in force`]
  })
}

function changedKeys(observed: Observed): readonly string[] {
  const first = new Map<string, string>()
  return everInForce(observed).flatMap((one) => {
    const { context, verifyingKey } = one.sharing
    const version = one.kind === "keys" ? "" : toHex(context)
    const place = `${one.server}/${nameOf(one)}/${version}`
    const key = toHex(verifyingKey)
    const before = first.get(place) ?? key
    first.set(place, before)
    return before === key ? [] : [`server ${one.server} has another public key in ${shown(one)}`]
  })
}

function confirmedTwice(observed: Observed): readonly string[] {
  const first = new Map<string, string>()
  return soundlyWritten(observed, ["reshare-runs"]).flatMap(({ commit, table, id, value }) =>
    (value === null ? [] : pendingIn(table, value)).flatMap((one) => {
      const place = `${commit.server}/${nameOf(one)}/${one.sharing.keyEpoch}`
      const before = first.get(place) ?? id
      first.set(place, before)
      return before === id ? [] : [`server ${commit.server} confirmed ${shown(one)} in two runs`]
    }),
  )
}
