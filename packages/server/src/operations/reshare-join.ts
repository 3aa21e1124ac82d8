import { reshareDescribeInput, type SealedRecords } from "@lockkeeper/api"
import { type Bytes, decode, equalBytes } from "@lockkeeper/encoding"
import { messageCodec, reshare, sharing } from "@lockkeeper/protocols"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import { type Entry, type MoveSource, readEntries, wipeEntries } from "../resharing/held.ts"
import { refuseAbort } from "./aborts.ts"
import { checkBatch, invalid, type ReshareTask } from "./reshare-task.ts"
import { describeTo, notHeld, notToldAlike, type Telling, tellings } from "./told-records.ts"

/** Stands where a share is held already, and nothing is to be told. */
const NONE: Bytes = new Uint8Array(0)

/**
 * Tells a holder that has no share yet what this server keeps of a batch beside its own: whose keys they
 * are, and what proves them. Whoever holds the batch is asked, be it a dealer or not.
 */
export async function describe(task: ReshareTask): Promise<StepOutcome> {
  const { step, params, source, identity } = task
  const telling = tellingOf(task)
  const input = decodeAs("input", reshareDescribeInput, step.input)
  const { keys, member } = input
  step.incidents.checkNone([member])
  checkBatch(task, keys)
  const opening = decodeField("input.opening", () => decode(messageCodec, input.opening))
  const key = reshare.holderSealingKey(params, member, opening, identity.verifyKeys)
  if (!key.ok) return refuseAbort(step, key.abort, [], {})
  const ids = keys.map((one) => one.sharing.id)
  const entries = await readEntries(step.deps.store, source, ids)
  wipeEntries(entries)
  for (const [index, { held }] of entries.entries()) {
    const asked = (keys[index] as reshare.ReshareKey).sharing
    if (held === null) throw notHeld(index, "wrong-key")
    if (!isSame(held.sharing, asked)) throw notHeld(index, "inconsistent-key")
  }
  return describeTo(telling, member, key.value, ids)
}

function isSame(a: sharing.Sharing, b: sharing.Sharing): boolean {
  return equalBytes(sharing.sharingDigest(a), sharing.sharingDigest(b))
}

/**
 * What goes with the shares that this server holds none of yet, agreed on before it confirms any. None at
 * all where it holds all.
 *
 * @throws LockKeeperError `conflict`, field `input.records.N`, where too little is told of an entry.
 */
export async function recordsFor(
  task: ReshareTask,
  { keys, sealingSeed }: reshare.ReshareOpened | reshare.ReshareDealt,
  entries: readonly Entry[],
  records: readonly SealedRecords[],
): Promise<readonly Bytes[]> {
  const isJoining = task.params.kind === "reshare" && entries.some(({ held }) => held === null)
  if (!isJoining || sealingSeed === null) return []
  const { step } = task
  const telling = tellingOf(task)
  const sharings = keys.map((one) => one.sharing)
  const told = tellings(telling, sealingSeed, sharings, records)
  const agreed: Bytes[] = []
  for (const [index, known] of sharings.entries()) {
    const { store } = step.deps
    const isLacking = entries[index]?.held === null
    const record = isLacking
      ? await telling.records.agree(store, known, told(index), known.minSigners)
      : NONE
    if (record === null) throw notToldAlike(index)
    agreed.push(record)
  }
  return agreed
}

function tellingOf({ step, runId, source }: ReshareTask): Telling {
  return { step, runId, source, records: moveOf(source) }
}

function moveOf({ kind, move }: ReshareTask["source"]): MoveSource {
  if (move !== null) return move
  throw invalid("body.kind", `Shares of ${kind} do not move to other servers.`)
}
