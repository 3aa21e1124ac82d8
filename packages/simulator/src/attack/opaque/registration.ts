import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { type AbortReason, opaque } from "@lockkeeper/protocols"
import type { Attack, Case, Ended, Verdicts } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { deal, expectation, SERVERS, VERIFY_KEYS } from "./account.ts"

const SERVER = 2

/** What reaches the servers of one registration or password change. */
interface Sent {
  readonly dealings: ReadonlyMap<Identifier, Bytes>
  /** What each server gets to activate with. */
  confirmations(server: Identifier, honest: opaque.Confirmations): Bytes
}

const ended = (reason: AbortReason): Ended => ({ reason, culprits: [], pair: null, evidence: [] })

function decoded<T>(decodeIt: () => T, stopped: Ended[]): T | null {
  try {
    return decodeIt()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    stopped.push(ended("malformed-payload"))
    return null
  }
}

/** Runs a registration; it is finished when every server has activated the same one. */
function registerWith(active: opaque.Registration | null, sent: Sent): Verdicts {
  const aborts: Ended[] = []
  const accepted: string[] = []
  const pending = new Map<Identifier, opaque.AccountRecord>()
  const confirmations = new Map<Identifier, Bytes>()
  for (const [server, bytes] of sent.dealings) {
    const dealing = decoded(() => decode(opaque.accountDealingCodec, bytes), aborts)
    if (dealing === null) continue
    const judged = opaque.acceptDealing(expectation(server, active), dealing)
    if (!judged.ok) {
      aborts.push(judged.abort)
      continue
    }
    pending.set(server, judged.value)
    const { registration } = judged.value
    confirmations.set(server, opaque.confirmRegistration(identityOf(server), registration))
  }
  const activated: Bytes[] = []
  for (const [server, record] of pending) {
    const given = sent.confirmations(server, confirmations)
    const got = decoded(() => decode(opaque.confirmationsCodec, given), aborts)
    if (got === null) continue
    const judged = opaque.activate(record, got, VERIFY_KEYS)
    if (judged.ok) activated.push(encode(opaque.registrationCodec, judged.value.registration))
    else aborts.push(judged.abort)
  }
  if (activated.some((one) => !equalBytes(one, activated[0] as Bytes)))
    accepted.push("two accounts")
  const finished = activated.length === SERVERS.length
  return { verifyKeys: VERIFY_KEYS, aborts, finished, accepted }
}

interface Change {
  readonly protocol: string
  readonly step: string
  readonly made: opaque.RegistrationResult
  readonly active: opaque.Registration | null
}

function encodedDealings({ made }: Change): Map<Identifier, Bytes> {
  return new Map(
    [...made.dealings].map(([i, dealing]) => [i, encode(opaque.accountDealingCodec, dealing)]),
  )
}

/** A registration and a password change, with every field of every message changed. */
export function* registrationAttacks(protocol: string): Iterable<Attack> {
  const first = deal(1)
  const registration = { protocol, step: "registration", made: first, active: null }
  const change = { protocol, step: "password change", made: deal(2), active: first.registration }
  for (const made of [registration, change]) {
    const elsewhere = deal(made === change ? 1 : 2)
    yield* dealingAttacks(made, elsewhere)
    yield* confirmationAttacks(made, elsewhere)
  }
}

const asGiven = (_: Identifier, honest: opaque.Confirmations): Bytes =>
  encode(opaque.confirmationsCodec, honest)

function* dealingAttacks(change: Change, elsewhere: opaque.RegistrationResult): Iterable<Attack> {
  const { protocol, active } = change
  const dealings = encodedDealings(change)
  const mutants = mutantsOf({
    name: `${protocol}/${change.step}`,
    codec: opaque.accountDealingCodec,
    encoded: dealings.get(SERVER) as Bytes,
    participants: dealings.get(1) as Bytes,
    sessions: encode(opaque.accountDealingCodec, elsewhere.dealings.get(SERVER)!),
  })
  const place = { protocol, step: change.step, sender: SERVER, by: "client" } as const
  for (const { field: path, mutation, encoded } of mutants) {
    const told = { ...place, field: `dealing.${path}`, mutation }
    const one = { dealings: new Map(dealings).set(SERVER, encoded), confirmations: asGiven }
    yield { ...told, victim: SERVER, run: () => registerWith(active, one) }
    const all = toAll(change, encoded)
    if (all === null) continue
    const everywhere = { dealings: all, confirmations: asGiven }
    yield { ...told, victim: "all", run: () => registerWith(active, everywhere) }
  }
}

/** The same changed registration in everyone's dealing, where it is one. */
function toAll({ made }: Change, encoded: Bytes): Map<Identifier, Bytes> | null {
  const changed = decoded(() => decode(opaque.accountDealingCodec, encoded), [])
  if (changed === null) return null
  const { registration } = changed
  const bytes = (value: opaque.Registration) => encode(opaque.registrationCodec, value)
  if (equalBytes(bytes(registration), bytes(made.registration))) return null
  return new Map(
    [...made.dealings].map(([i, dealing]) => {
      return [i, encode(opaque.accountDealingCodec, { ...dealing, registration })]
    }),
  )
}

function* confirmationAttacks(
  change: Change,
  elsewhere: opaque.RegistrationResult,
): Iterable<Attack> {
  const { protocol, step, active, made } = change
  const dealings = encodedDealings(change)
  const codec = opaque.confirmationsCodec
  const confirmed = (registration: opaque.Registration) =>
    encode(
      codec,
      new Map(SERVERS.map((i) => [i, opaque.confirmRegistration(identityOf(i), registration)])),
    )
  const mutants = mutantsOf({
    name: `${protocol}/${step}/confirmations`,
    codec,
    encoded: confirmed(made.registration),
    sessions: confirmed(elsewhere.registration),
  })
  for (const { field: path, mutation, encoded } of mutants) {
    const told = { protocol, step, sender: SERVER, field: `confirmations.${path}`, mutation }
    for (const victim of [1, "all"] as const) {
      const confirmations = (server: Identifier, honest: opaque.Confirmations) =>
        victim === "all" || server === victim ? encoded : encode(codec, honest)
      const about: Case = { ...told, victim, by: "relay" }
      yield { ...about, run: () => registerWith(active, { dealings, confirmations }) }
    }
  }
}
