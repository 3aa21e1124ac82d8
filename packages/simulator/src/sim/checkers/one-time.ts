import { toHex } from "@lockkeeper/encoding"
import type { Table } from "@lockkeeper/server"
import type { Commit, Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"

/** State that serves once, and the operation that uses it up. */
interface OneTimeState {
  readonly table: Table
  readonly operation: string
  /** Whether a process may use what the one before left in order. */
  readonly survivesOrderlyStop: boolean
}

// Approvals come here once they exist: whatever a batch takes from a table because of an operation.
const ONE_TIME: readonly OneTimeState[] = [
  { table: "nonces", operation: "sign", survivesOrderlyStop: false },
  { table: "presignatures", operation: "ecdsa.sign", survivesOrderlyStop: true },
]

/**
 * Looks at what was committed in every history of a server, also in those that were rolled back, and
 * at the shares that a dishonest owner collected.
 */
export const oneTime: Checker = {
  name: "one-time",
  holds:
    "no nonce and no presignature is used twice, across crashes, restarts and restored copies, nor by a process that cannot know whether it was used",
  check: (observed) => [
    ...ONE_TIME.flatMap((state) => usedTwice(observed, state)),
    ...ONE_TIME.flatMap((state) => usedByStranger(observed, state)),
    ...sharesOfOne(observed),
  ],
}

function usesOf({ commits }: Observed, { table, operation }: OneTimeState) {
  return commits.flatMap((commit) => {
    const event = commit.events.find((one) => one.operation === operation)
    if (event === undefined || event.outcome === "refused") return []
    const taken = commit.changes.filter(
      (change) => change.kind === "take" && change.table === table,
    )
    return taken.map((change) => ({ id: (change as { id: string }).id, commit }))
  })
}

function usedTwice(observed: Observed, state: OneTimeState): readonly string[] {
  const first = new Map<string, Commit>()
  const found: string[] = []
  for (const { id, commit } of usesOf(observed, state)) {
    const place = `${commit.server}/${id}`
    const before = first.get(place)
    if (before === undefined) first.set(place, commit)
    else {
      found.push(
        `server ${commit.server} used ${state.table} ${shortened(id)} in process ${before.process} and again in process ${commit.process}`,
      )
    }
  }
  return found
}

/** Used by another process than made it, without an unbroken row of orderly stops between. */
function usedByStranger(observed: Observed, state: OneTimeState): readonly string[] {
  const made = new Map<string, Commit>()
  for (const commit of observed.commits) {
    for (const change of commit.changes) {
      if (change.kind === "put" && change.table === state.table) {
        made.set(`${commit.server}/${change.id}`, commit)
      }
    }
  }
  return usesOf(observed, state).flatMap(({ id, commit }) => {
    const maker = made.get(`${commit.server}/${id}`)
    if (maker === undefined || maker.process === commit.process) return []
    const between = observed.starts.filter(
      ({ server, process }) =>
        server === commit.server && process > maker.process && process <= commit.process,
    )
    const inOrder = between.every(({ how }) => how === "orderly")
    if (state.survivesOrderlyStop && inOrder) return []
    return [
      `server ${commit.server} used ${state.table} ${shortened(id)} of process ${maker.process} in process ${commit.process}`,
    ]
  })
}

function sharesOfOne({ shares }: Observed): readonly string[] {
  const first = new Map<string, string>()
  return shares.flatMap(({ server, kind, id, message, share }) => {
    const place = `${server}/${kind}/${id}`
    const before = first.get(place)
    if (before === undefined) first.set(place, share)
    if (before === undefined || before === share) return []
    return [
      `server ${server} gave two shares with one of its ${kind} ${shortened(id)}, the second for message ${shortened(message)}`,
    ]
  })
}

function shortened(id: string): string {
  return id.length > 24 ? `..${id.slice(-16)}` : id
}

/** The answers of all requests, by their rows: whose bytes changed after they were first kept. */
export const answers: Checker = {
  name: "answers",
  holds: "an answer that was kept for a step of a request is never replaced by another",
  check({ commits, starts }) {
    const first = new Map<string, string>()
    return commits.flatMap(({ server, process, changes }) =>
      changes.flatMap((change) => {
        if (change.kind !== "put" || change.table !== "answers") return []
        const place = `${server}/${change.id}`
        const value = toHex(change.value)
        const before = first.get(place)
        if (before === undefined) first.set(place, value)
        const restored = starts.some(
          (start) =>
            start.server === server && start.how === "restored" && start.process <= process,
        )
        if (before === undefined || before === value || restored) return []
        return [`server ${server} kept two answers to ${shortened(change.id)}`]
      }),
    )
  },
}
