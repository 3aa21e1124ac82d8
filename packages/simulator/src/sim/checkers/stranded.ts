import { type Roster, rosterChainCodec } from "@lockkeeper/api"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { rosterIn } from "../../world/succession.ts"
import type { Checker } from "./checker.ts"
import { type HeldShare, inForceIn, shown, soundServers, writtenIn } from "./sharings.ts"

/** By the rows of its own database, at the commit with which a server goes on to a roster. */
export const stranded: Checker = {
  name: "stranded",
  holds: "no server goes on to a roster under which a share that it has in force is of no use",
  check(observed) {
    const sound = soundServers(observed)
    const rows = new Map<string, readonly HeldShare[]>()
    const found: string[] = []
    for (const { commit, table, id, value } of writtenIn(observed, ["keys", "accounts", "meta"])) {
      const { server } = commit
      if (!sound.includes(server)) continue
      if (table !== "meta") {
        rows.set(`${server}/${table}/${id}`, value === null ? [] : inForceIn(table, value))
      } else if (id === "roster" && value !== null) {
        const roster = rosterOf(value)
        const held = [...rows].filter(([row]) => row.startsWith(`${server}/`))
        const useless = held.flatMap(([, all]) => all.filter((one) => !isUsable(roster, one)))
        for (const one of useless) {
          const where = `server ${server} goes on to roster ${roster.rosterEpoch}`
          found.push(`${where} with ${shown(one)}, which is of no use there`)
        }
      }
    }
    return found
  },
}

function rosterOf(row: Bytes): Roster {
  return rosterIn(decode(rosterChainCodec, row))
}

/** Where the roster wants it, or on its way from where t of its holders are listed. */
function isUsable({ members, minSigners, transition }: Roster, { sharing }: HeldShare): boolean {
  const holders = [...sharing.verifyingShares.keys()]
  const listed = members.map(({ identifier }) => identifier)
  const stay = listed.filter((id) => !transition?.leaving.includes(id))
  const isThere = holders.every((id) => stay.includes(id))
  if (sharing.minSigners === minSigners && isThere) return true
  if (transition === null) return false
  const isKnown = [minSigners, transition.minSignersBefore].includes(sharing.minSigners)
  return isKnown && holders.filter((id) => listed.includes(id)).length >= sharing.minSigners
}
