import { type Element, type Identifier, ristretto255, type Scalar } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import {
  evaluateShare,
  ke1Codec,
  signEvaluation,
  statementOf,
} from "@lockkeeper/protocols/payloads"
import type { Attack, Case, Target } from "../harness.ts"
import { type Mutant, mutantsOf } from "../mutations.ts"
import { identityOf, seeded } from "../seeded.ts"
import { loginPlan, registered } from "./account.ts"
import { HARMLESS, UNATTRIBUTABLE } from "./kinds.ts"
import {
  attackedLogin,
  honestLogin,
  type LoginSetting,
  type Meddling,
  type RecordedLogin,
  recordLogin,
} from "./login.ts"
import { registrationAttacks } from "./registration.ts"

const SENDER = 2
const PROTOCOL = "opaque"

interface Scene {
  readonly setting: LoginSetting
  readonly honest: RecordedLogin
  readonly elsewhere: RecordedLogin
  /** A login of before a password change. */
  readonly before: RecordedLogin
}

/** Registration, password change and login, attacked in every field of every message. */
export function opaqueTarget(): Target {
  return {
    protocol: PROTOCOL,
    steps: ["registration", "password change", "ke1", "response", "ke3"],
    attacks,
    harmless: HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

function* attacks(): Iterable<Attack> {
  yield* registrationAttacks(PROTOCOL)
  const setting = honestLogin(registered(2))
  const scene: Scene = {
    setting,
    honest: recordLogin(setting),
    elsewhere: recordLogin({ ...setting, seed: "another login" }),
    before: recordLogin({ ...setting, records: registered(1) }),
  }
  yield* ke1Attacks(scene)
  yield* responseAttacks(scene)
  yield* ke3Attacks(scene)
}

type Told = Omit<Case, "protocol" | "sender">

function attack({ setting }: Scene, told: Told, meddling: Meddling): Attack {
  const run = () => attackedLogin(setting, meddling)
  return { protocol: PROTOCOL, sender: SENDER, ...told, run }
}

/** For the one server, or for all. */
const at = (victim: Identifier | "all", server: Identifier): boolean =>
  victim === "all" || server === victim

function* ke1Attacks(scene: Scene): Iterable<Attack> {
  const { honest, elsewhere } = scene
  const mutants = mutantsOf({
    name: "opaque/ke1",
    codec: ke1Codec,
    encoded: honest.ke1.get(SENDER) as Bytes,
    group: ristretto255,
    participants: honest.ke1.get(1) as Bytes,
    sessions: elsewhere.ke1.get(SENDER) as Bytes,
  })
  for (const { field, mutation, encoded } of mutants) {
    for (const victim of [SENDER, "all"] as const) {
      const told = { step: "ke1", field, mutation, by: "relay", victim } as const
      const asks = (server: Identifier, ke1: Bytes) => (at(victim, server) ? encoded : ke1)
      yield attack(scene, told, { dishonest: null, asks })
    }
  }
}

function responseMutants({ honest, elsewhere }: Scene): Mutant[] {
  return mutantsOf({
    name: "opaque/response",
    codec: opaque.loginResponseCodec,
    encoded: honest.responses.get(SENDER) as Bytes,
    group: ristretto255,
    participants: honest.responses.get(1) as Bytes,
    sessions: elsewhere.responses.get(SENDER) as Bytes,
    earlier: honest.ke1.get(SENDER) as Bytes,
  })
}

/** The response with its server's signature over what it says now; as it is where it says nothing. */
function signedResponse(encoded: Bytes, ke1: Bytes): Bytes {
  try {
    const response = decode(opaque.loginResponseCodec, encoded)
    const statement = statementOf(response, ke1, loginPlan().accountId)
    const signature = signEvaluation(identityOf(SENDER), statement)
    return encode(opaque.loginResponseCodec, {
      ...response,
      frame: { ...response.frame, signature },
    })
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return encoded
  }
}

/** The response with a proof that its server made for what it says now. */
function withProof({ setting }: Scene, encoded: Bytes, ke1: Bytes): Bytes {
  const response = decode(opaque.loginResponseCodec, encoded)
  const { accountId } = loginPlan()
  const { evaluation: _, proof: __, ...scope } = statementOf(response, ke1, accountId)
  const share = setting.records.get(SENDER)!.share.expose() as Scalar
  const { blindedElement } = decode(ke1Codec, ke1) as { blindedElement: Element }
  const { proof } = evaluateShare(share, blindedElement, scope, seeded("proof"))
  const frame = { ...response.frame, proof }
  return encode(opaque.loginResponseCodec, { ...response, frame })
}

function* responseAttacks(scene: Scene): Iterable<Attack> {
  for (const { field, mutation, encoded } of responseMutants(scene)) {
    const told = { step: "response", field, mutation, victim: "all" } as const
    const altering = (server: Identifier, response: Bytes) =>
      server === SENDER ? encoded : response
    yield attack(scene, { ...told, by: "relay" }, { dishonest: null, answers: altering })
    // A signature that is signed again is the signature.
    if (field === "frame.signature" && decodes(encoded)) continue
    const lying = (server: Identifier, response: Bytes, ke1: Bytes) =>
      server === SENDER ? signedResponse(encoded, ke1) : response
    yield attack(scene, { ...told, by: "sender" }, { dishonest: SENDER, answers: lying })
    // And a proof that is made anew is the proof.
    if (!field.startsWith("frame.") || field === "frame.proof" || !decodes(encoded)) continue
    const proving = (server: Identifier, response: Bytes, ke1: Bytes) =>
      server === SENDER ? signedResponse(withProof(scene, encoded, ke1), ke1) : response
    const proven = { ...told, field: `proven ${field}`, by: "sender" } as const
    yield attack(scene, proven, { dishonest: SENDER, answers: proving })
  }
  yield* responseReplays(scene)
}

function decodes(encoded: Bytes): boolean {
  try {
    decode(opaque.loginResponseCodec, encoded)
    return true
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}

function* responseReplays(scene: Scene): Iterable<Attack> {
  const { honest, elsewhere, before } = scene
  const replayed: Record<string, Bytes | null> = {
    "another session's message": elsewhere.responses.get(SENDER) as Bytes,
    "the message of before a password change": before.responses.get(SENDER) as Bytes,
    "another participant's message": honest.responses.get(1) as Bytes,
    "the other step's message": honest.ke1.get(SENDER) as Bytes,
    missing: null,
  }
  for (const [mutation, instead] of Object.entries(replayed)) {
    const told = { step: "response", field: "message", mutation, victim: "all" } as const
    const answers = (server: Identifier, response: Bytes) =>
      server === SENDER ? instead : response
    yield attack(scene, { ...told, by: "relay" }, { dishonest: null, answers })
    yield attack(scene, { ...told, by: "sender" }, { dishonest: SENDER, answers })
  }
}

function* ke3Attacks(scene: Scene): Iterable<Attack> {
  const { honest, elsewhere } = scene
  const right = honest.ke3.get(SENDER) as Bytes
  const mutants = mutantsOf({
    name: "opaque/ke3",
    codec: { write: (w, v) => w.bytes(v as Bytes), read: (r) => r.bytes(right.length) },
    encoded: right,
    participants: honest.ke3.get(1) as Bytes,
    sessions: elsewhere.ke3.get(SENDER) as Bytes,
    earlier: honest.responses.get(SENDER) as Bytes,
  })
  for (const { field, mutation, encoded } of mutants) {
    for (const victim of [SENDER, "all"] as const) {
      const told = { step: "ke3", field, mutation, by: "client", victim } as const
      const proves = (server: Identifier, ke3: Bytes) => (at(victim, server) ? encoded : ke3)
      yield attack(scene, told, { dishonest: null, proves })
    }
  }
}
