import {
  listWaitingBody,
  MAX_WAITING_NAMED,
  MAX_WAITING_PAGE,
  type SharingKind,
  type WaitingRun,
  waitingPage,
} from "@lockkeeper/api"
import { encode, fromHex, toHex } from "@lockkeeper/encoding"
import type { Store } from "../ports/store.ts"
import { decodeAs } from "../request/decode.ts"
import type { OperatorOperationStep } from "../request/step.ts"
import {
  type Entry,
  isOver,
  readEntries,
  type ShareSource,
  wipeEntries,
} from "../resharing/held.ts"
import { readRunAt, wipeStage } from "../resharing/runs.ts"
import { invalid } from "./reshare-task.ts"
import { onlyStep } from "./steps.ts"

/**
 * The runs whose certificate this server waits for, a page at a time: also those that give it shares of
 * what it holds nothing of, which it lists nowhere else.
 */
export const listWaiting: OperatorOperationStep = async (step) => {
  onlyStep(step)
  const { kind, after } = decodeAs("body", listWaitingBody, step.request.body)
  const { deps, resharing } = step
  const source = resharing.sourceOf(kind)
  if (source === null) throw invalid("body.kind", `Shares of ${kind} are not reshared here.`)
  const from = after === null ? "" : toHex(after)
  const names = resharing.pendingAfter(from, MAX_WAITING_PAGE)
  const runs: WaitingRun[] = []
  for (const name of names) {
    const run = await waitingIn(deps.store, { kind, source, name })
    if (run !== null) runs.push(run)
  }
  const last = names.at(-1)
  const next = last === undefined || names.length < MAX_WAITING_PAGE ? null : fromHex(last)
  return { output: encode(waitingPage, { runs, next }), changes: [], event: step.event() }
}

interface Named {
  readonly kind: SharingKind
  readonly source: ShareSource
  readonly name: string
}

/** Null where the run is of another kind, or nothing of it is waited for any more. */
async function waitingIn(store: Store, { kind, source, name }: Named): Promise<WaitingRun | null> {
  const row = await readRunAt(store, name)
  if (row === null) return null
  const { stage } = row.value
  wipeStage(stage)
  const pending = stage.kind === "judged" ? stage.state.pending : null
  if (row.value.kind !== kind || pending === null) return null
  const sharings = pending.reshared.map(({ sharing }) => sharing)
  const all = sharings.map((one) => one.id)
  const entries = await readEntries(store, source, all)
  wipeEntries(entries)
  const needed = sharings.filter((one, i) => !isOver(one, entries[i] as Entry))
  if (needed.length === 0) return null
  const ids = needed.slice(0, MAX_WAITING_NAMED).map(({ id }) => id)
  return { run: fromHex(name), root: pending.root, ids }
}
