import {
  leaveReshareBody,
  leaveReshareInput,
  RESHARE_STEPS,
  reshareBody,
  reshareDescribeInput,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Codec, decode } from "@lockkeeper/encoding"
import { messageCodec, openHeader, reshare } from "@lockkeeper/protocols"
import type { Attack, Verdicts } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { askedInVain, askedOtherwise, before, toldOtherwise, withRecords } from "./attacked.ts"
import { callOf, JOINER, LEAVER, type Move, STAYING } from "./move.ts"
import { ask, type Call } from "./operator.ts"
import type { MoveScene } from "./scene.ts"
import { copyOf, start } from "./servers.ts"

// What whoever runs a campaign can ask servers for: other steps, of other runs, with other certificates,
// at other servers, in another order, and twice.

interface Asked {
  readonly step: string
  readonly server: Identifier
  readonly body: Codec<unknown>
  readonly input: Codec<unknown>
}

const LAST: Identifier = STAYING.at(-1) as Identifier

const ASKED: readonly Asked[] = [
  descriptionBy(LEAVER),
  descriptionBy(LAST),
  ...[JOINER, LAST].map((server) => ({
    ...{ step: "activate", server, body: reshareBody as Codec<unknown> },
    input: reshare.batchCertificateCodec as Codec<unknown>,
  })),
  {
    ...{ step: "leave", server: LEAVER, body: leaveReshareBody as Codec<unknown> },
    input: leaveReshareInput as Codec<unknown>,
  },
]

function descriptionBy(server: Identifier): Asked {
  const input = reshareDescribeInput as Codec<unknown>
  return { step: "describe", server, body: reshareBody as Codec<unknown>, input }
}

export function* requestAttacks(scene: MoveScene): Iterable<Attack> {
  for (const asked of ASKED) {
    yield* fieldsOf(scene, asked)
    yield* otherCalls(scene, asked)
  }
  yield* otherOrders(scene)
}

const told = (server: Identifier) =>
  ({ by: "coordinator", sender: server, victim: server }) as const

function* fieldsOf({ move, elsewhere, protocol }: MoveScene, asked: Asked): Iterable<Attack> {
  const { step, server } = asked
  const { call } = callOf(move, step, server)
  const other = callOf(elsewhere, step, server).call
  for (const part of ["body", "input"] as const) {
    const mutants = mutantsOf({
      ...{ name: `${protocol}/${step}/${server}/${part}`, codec: asked[part] },
      ...{ encoded: call[part], sessions: other[part] },
    })
    for (const { field, mutation, encoded } of mutants) {
      const run = () => asksFor(move, asked, { ...call, [part]: encoded })
      const name = `${part}.${field}`
      yield { protocol, step, ...told(server), field: name, mutation, run }
    }
  }
}

/** Parts of calls of other runs, kinds and steps in the place of this one's. */
function* otherCalls(scene: MoveScene, asked: Asked): Iterable<Attack> {
  const { move, elsewhere, otherKind, protocol } = scene
  const { step, server } = asked
  const { call } = callOf(move, step, server)
  const others = {
    "another session's": callOf(elsewhere, step, server).call,
    "another kind's": callOf(otherKind, step, server).call,
  }
  const changed: (readonly [string, string, Call])[] = []
  for (const [mutation, { body, input }] of Object.entries(others)) {
    changed.push(["body", mutation, { ...call, body }])
    // Both runs were confirmed, as in one world no two are: either has a member leave.
    const isProof = step === "leave" && mutation === "another session's"
    if (!isProof) changed.push(["input", mutation, { ...call, input }])
  }
  for (let number = 0; number <= Math.max(...Object.values(RESHARE_STEPS)) + 1; number++) {
    if (number !== call.step) changed.push(["step", `${number}`, { ...call, step: number }])
  }
  for (const [field, mutation, other] of changed) {
    const run = () => asksFor(move, asked, other)
    yield { protocol, step, ...told(server), field: `call.${field}`, mutation, run }
  }
}

function asksFor(move: Move, { step, server }: Asked, call: Call): Promise<Verdicts> {
  return step === "describe"
    ? toldWhenAsked(move, server, call)
    : askedOtherwise(move, step, server, call)
}

/** What a holder tells when it is asked otherwise goes to the joiner in place of what it should. */
async function toldWhenAsked(move: Move, teller: Identifier, call: Call): Promise<Verdicts> {
  const at = await before(move, "describe", teller)
  const silent = await askedInVain(move, at, call)
  if (!silent.finished || silent.accepted.length > 0) return silent
  // Of a step that it has taken it says the same again.
  if (call.step !== RESHARE_STEPS.describe) return silent
  if (isToldStranger(move, call)) return { ...silent, accepted: ["told who is no holder"] }
  const record = decode(sealedRecordsCodec, await ask(at, call))
  const others = move.records.filter(({ holder }) => holder !== teller)
  return toldOtherwise(move, JOINER, withRecords(move, JOINER, [...others, record]))
}

/** Whether what is told is sealed to a key that none of the holders has signed for this run. */
function isToldStranger({ followed, params }: Move, { input }: Call): boolean {
  const verifyKeys = new Map(followed.roster.members.map((m) => [m.identifier, m.identityKey]))
  const { member, opening } = decode(reshareDescribeInput, input)
  const header = openHeader(decode(messageCodec, opening).header, verifyKeys)
  const isHolder = params.holders.includes(member)
  return !header.ok || header.value.sender !== member || !isHolder
}

/** Certificates brought twice, before they are due, and to whom they are not for. */
function* otherOrders(scene: MoveScene): Iterable<Attack> {
  const { move, protocol } = scene
  const { end } = move
  const order = (
    server: Identifier,
    [step, mutation]: readonly [string, string],
    from: () => Promise<Awaited<ReturnType<typeof before>>>,
    call: Call,
  ): Attack => {
    const run = async () => askedInVain(move, await from(), call)
    return { protocol, step, ...told(server), field: "delivery", mutation, run }
  }
  const atEnd = (server: Identifier) => () => {
    const at = end.get(server)
    if (at === undefined) throw new Error(`there is no server ${server}`)
    return start(move.followed, server, copyOf(at), { now: move.now, what: "attacked at the end" })
  }
  const leave = callOf(move, "leave", LEAVER).call
  for (const server of [JOINER, LAST]) {
    const activate = callOf(move, "activate", server).call
    yield order(server, ["activate", "duplicated"], atEnd(server), activate)
    const early = () => before(move, "verdict", server)
    yield order(server, ["activate", "before its verdict"], early, activate)
    yield order(server, ["leave", "of a holder"], atEnd(server), leave)
    const confirmed = () => before(move, "activate", server)
    yield order(server, ["leave", "of a holder that has not activated"], confirmed, leave)
    yield order(server, ["leave", "of a holder that has not confirmed"], early, leave)
  }
  yield order(LEAVER, ["leave", "duplicated"], atEnd(LEAVER), leave)
  const activate = callOf(move, "activate", LAST).call
  yield order(LEAVER, ["activate", "of who leaves"], () => before(move, "leave", LEAVER), activate)
  yield order(LEAVER, ["activate", "of who has left"], atEnd(LEAVER), activate)
  for (const teller of [LEAVER, LAST]) {
    const describe = callOf(move, "describe", teller).call
    yield order(teller, ["describe", "of what has moved"], atEnd(teller), describe)
  }
  const describe = callOf(move, "describe", LAST).call
  yield order(
    JOINER,
    ["describe", "of who holds none"],
    () => before(move, "verdict", JOINER),
    describe,
  )
}
