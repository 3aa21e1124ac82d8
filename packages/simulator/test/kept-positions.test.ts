import assert from "node:assert/strict"
import { test } from "node:test"
import { isKept } from "../src/sim/checkers/checker.ts"
import type { Commit, CommittedEvent, PutBack } from "../src/sim/observed.ts"

/** One entry of a server's log for each batch: its number among all, and in which history it was written. */
const written = (...histories: readonly number[]): readonly Commit[] =>
  histories.map((history, order) => {
    const event = { index: order, head: `${order} in ${history}` } as CommittedEvent
    const empty = { time: order, process: history, changes: [] }
    return { order, server: 1, history, events: [event], ...empty }
  })

const keptOf = (commits: readonly Commit[], copies: readonly PutBack[]) =>
  commits
    .filter(({ events }) =>
      events.every(({ index, head }) => isKept({ commits, copies }, { server: 1, index, head })),
    )
    .map(({ order }) => order)

test("an entry is kept that no copy was put back over", () => {
  const commits = written(0, 0, 0, 1, 1, 2)
  assert.deepEqual(keptOf(written(0, 0), []), [0, 1])
  const first = { server: 1, taken: 1, of: 0, history: 1 }
  assert.deepEqual(keptOf(commits.slice(0, 5), [first]), [0, 3, 4])
  assert.deepEqual(keptOf(commits, [first, { ...first, taken: 4, of: 1, history: 2 }]), [0, 3, 5])
  assert.deepEqual(keptOf(commits.slice(0, 3), [{ ...first, server: 2 }]), [0, 1, 2])
})

test("of two copies that are put back at once the later one counts", () => {
  const commits = written(0, 0, 0, 2)
  const late = { server: 1, taken: 3, of: 0, history: 1 }
  const early = { server: 1, taken: 1, of: 0, history: 2 }
  assert.deepEqual(keptOf(commits, [late, early]), [0, 3])
})
