import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { Observed } from "../observed.ts"
import { type Checker, restoresOf } from "./checker.ts"

/**
 * A guess is one evaluation that no right KE3 followed. A copy that the run put back takes the counts
 * of its day along, as docs/operating.md says, so that each copy is worth the limit once more.
 */
export const guesses: Checker = {
  name: "guesses",
  holds:
    "no server gives more evaluations for an account than its limit, crashes and restarts included, and none takes a wrong proof of the password",
  check: (observed) => [...counted(observed), ...collected(observed), ...accepted(observed)],
}

function counted({ commits, guessLimit, starts }: Observed): readonly string[] {
  const taken = new Map<string, number>()
  const found: string[] = []
  for (const { server, process, events } of commits) {
    for (const { operation, outcome, accountId } of events) {
      if (accountId === null || outcome !== "done") continue
      const place = `${server}/${toHex(accountId)}`
      const change = operation === "login.start" ? 1 : operation === "login.finish" ? -1 : 0
      const now = (taken.get(place) ?? 0) + change
      taken.set(place, now)
      const copies = restoresOf(starts, server).filter((start) => start.process <= process).length
      if (change > 0 && now > guessLimit * (1 + copies)) {
        found.push(`server ${server} has ${now} open guesses for ${toHex(accountId).slice(0, 8)}`)
      }
    }
  }
  return found
}

function collected({ evaluations, guessLimit, starts }: Observed): readonly string[] {
  const given = new Map<string, { server: Identifier; account: string; count: number }>()
  for (const { server, account } of evaluations) {
    const place = `${server}/${account}`
    const before = given.get(place) ?? { server, account, count: 0 }
    given.set(place, { ...before, count: before.count + 1 })
  }
  return [...given.values()].flatMap(({ server, account, count }) => {
    const bound = guessLimit * (1 + restoresOf(starts, server).length)
    if (count <= bound) return []
    return [`a guesser got ${count} evaluations for ${account.slice(0, 8)} from server ${server}`]
  })
}

function accepted({ evaluations, commits }: Observed): readonly string[] {
  const guessedAt = new Set(evaluations.map(({ account }) => account))
  return commits.flatMap(({ server, events }) =>
    events
      .filter(({ operation, outcome, accountId }) => {
        const finished = operation === "login.finish" && outcome === "done"
        return finished && accountId !== null && guessedAt.has(toHex(accountId))
      })
      .map(() => `server ${server} took a guesser's proof for right`),
  )
}
