import { reshareStepInput, type SealedRecords } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes, Codec } from "@lockkeeper/encoding"
import type { Attack } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { toldOtherwise, withRecords } from "./attacked.ts"
import { JOINER, LEAVER, type Move, OLD, STAYING } from "./move.ts"
import type { MoveScene } from "./scene.ts"
import { encodeTold, recordCodec, sealedBy, toldBy, toldCodec } from "./told.ts"

// What holders tell who joins: one of them lies, in all that it says and seals; or a relay spoils it.

/** Holders that are asked: where two tell, none outvotes the other. */
function tellersOf({ kind }: Move): readonly (readonly Identifier[])[] {
  // Accounts are told of by all that hold them: guesses are counted by as many as can be had.
  return kind === "accounts" ? [OLD] : [[LEAVER, STAYING[0] as Identifier], OLD]
}

export async function* tellingAttacks(scene: MoveScene): AsyncIterable<Attack> {
  const { move } = scene
  for (const tellers of tellersOf(move)) {
    yield* spoiltOnTheirWay(scene, tellers)
    for (const liar of [...tellers.slice(0, 1), ...tellers.slice(-1)])
      yield* lies(scene, tellers, liar)
  }
}

/** Every field of what it tells of each sharing, rightly sealed and signed; and of the whole. */
async function* lies(
  { move, elsewhere, protocol }: MoveScene,
  tellers: readonly Identifier[],
  liar: Identifier,
): AsyncIterable<Attack> {
  const truth = await toldBy(move, liar)
  const other = await toldBy(elsewhere, liar)
  const said = { protocol, step: "verdict", by: "sender", sender: liar, victim: JOINER } as const
  const name = `${protocol}/told/${liar}`
  const among = `told by ${tellers.length}`
  const lie = (field: string, mutation: string, told: Bytes): Attack => {
    const run = () => {
      const sealed = sealedBy(move, liar, told)
      const records = move.records
        .filter(({ holder }) => tellers.includes(holder))
        .map((one) => (one.holder === liar ? sealed : one))
      return toldOtherwise(move, JOINER, withRecords(move, JOINER, records))
    }
    return { ...said, field: `${among}: ${field}`, mutation, run }
  }
  for (const [i, record] of truth.entries()) {
    const mutants = mutantsOf({
      ...{ name: `${name}/${i}`, codec: recordCodec(move.kind), encoded: record },
      ...{ participants: truth[(i + 1) % truth.length] as Bytes, sessions: other[i] as Bytes },
    })
    for (const { field, mutation, encoded } of mutants) {
      const told = truth.map((one, at) => (at === i ? encoded : one))
      yield lie(`record.${i}.${field}`, mutation, encodeTold(told))
    }
  }
  const whole = encodeTold(truth)
  const mutants = mutantsOf({ name, codec: toldCodec, encoded: whole, sessions: encodeTold(other) })
  for (const { field, mutation, encoded } of mutants)
    yield lie(`records.${field}`, mutation, encoded)
}

/** What is sealed and signed reaches the joiner otherwise, not at all, twice, or is another run's. */
function* spoiltOnTheirWay(
  { move, elsewhere, otherKind, protocol }: MoveScene,
  tellers: readonly Identifier[],
): Iterable<Attack> {
  const among = `told by ${tellers.length}`
  const told = ({ records }: Move) => records.filter(({ holder }) => tellers.includes(holder))
  const call = withRecords(move, JOINER, told(move))
  const [first] = tellers
  const said = { protocol, step: "verdict", by: "relay", sender: first as number } as const
  const mutants = mutantsOf({
    ...{ name: `${protocol}/spoilt/${among}`, codec: reshareStepInput as Codec<unknown> },
    ...{ encoded: call.input, sessions: withRecords(move, JOINER, told(elsewhere)).input },
  })
  for (const { field, mutation, encoded } of mutants) {
    if (!field.startsWith("records")) continue
    const run = () => toldOtherwise(move, JOINER, { ...call, input: encoded })
    yield { ...said, victim: JOINER, field: `${among}: ${field}`, mutation, run }
  }
  const spliced = {
    "another session's": told(elsewhere),
    "another kind's": told(otherKind),
    "one of another session": [...told(move).slice(1), ...told(elsewhere).slice(0, 1)],
    "others' in one name": told(move).map((one) => ({ ...one, holder: first as number })),
    "exchanged names": exchanged(told(move)),
    none: [],
  }
  for (const [mutation, records] of Object.entries(spliced)) {
    const run = () => toldOtherwise(move, JOINER, withRecords(move, JOINER, records))
    yield { ...said, victim: JOINER, field: `${among}: records`, mutation, run }
  }
}

function exchanged(records: readonly SealedRecords[]): readonly SealedRecords[] {
  const holders = records.map(({ holder }) => holder)
  return records.map((one, i) => ({ ...one, holder: holders[(i + 1) % holders.length] as number }))
}
