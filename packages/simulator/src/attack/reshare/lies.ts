import {
  type Bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { type Message, type reshare, signLabelled } from "@lockkeeper/protocols"
import { vectorsCommitment } from "@lockkeeper/protocols/payloads"
import { signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { decodedOrNull } from "../rounds/decoded.ts"
import { checkpointOf, messageOf } from "../rounds/drive.ts"
import { otherShares } from "../rounds/scalars.ts"
import { attackAt, computing, liesToAll, mutantsIn } from "../rounds/scene.ts"
import { identityOf } from "../seeded.ts"
import { ReshareRounds } from "./run.ts"
import type { ReshareScene } from "./scene.ts"

/** A dealer that computes rightly from something wrong, so that all it signs fits the lie. */
export function* computedLies(scene: ReshareScene): Iterable<Attack> {
  yield* otherSecrets(scene)
  yield* otherCommitments(scene)
}

/** It deals another secret than its share: a constant term that nobody owes. */
function* otherSecrets(scene: ReshareScene): Iterable<Attack> {
  const { setting, sender, protocol } = scene
  for (const { field, mutation, shares } of otherShares(protocol, setting.batch, sender)) {
    const lying = new ReshareRounds(setting, { shares: new Map([[sender, shares]]) })
    const told = { step: "deal", by: "sender", field, mutation, victim: "all" } as const
    yield computing(scene, told, lying)
  }
}

interface OpenPayload {
  readonly sealingKey: Bytes | null
  readonly commitment: Bytes | null
}

interface DealPayload {
  readonly blinding: Bytes
  readonly vectors: readonly (readonly Bytes[])[]
}

/** It commits to other polynomials in the first step and reveals those, with the shares of its own. */
function* otherCommitments(scene: ReshareScene): Iterable<Attack> {
  const { setting, honest, elsewhere, sender, protocol, groups } = scene
  const { params } = setting.attempt
  const signer = identityOf(sender)
  const openCodec = scene.codecs.get("open")?.broadcast as unknown as Codec<OpenPayload>
  const dealCodec = scene.codecs.get("deal")?.broadcast as unknown as Codec<DealPayload>
  const open = messageOf(honest, "open", sender)
  const other = params.dealers.find((dealer) => dealer !== sender)
  const mutants = mutantsIn(groups, {
    ...{ name: `${protocol}/committed/${sender}`, codec: dealCodec as Codec<unknown> },
    encoded: messageOf(honest, "deal", sender).broadcast,
    ...(other !== undefined && { participants: messageOf(honest, "deal", other).broadcast }),
    sessions: messageOf(elsewhere, "deal", sender).broadcast,
  })
  for (const { field, mutation, encoded } of mutants) {
    const payload = decodedOrNull(dealCodec, encoded)
    if (!payload) continue
    const { vectors, blinding } = payload
    const commitment = vectorsCommitment(params, sender, vectors, blinding)
    const opened = { ...decode(openCodec, open.broadcast), commitment }
    const opening = signedAgain(open, signer, { broadcast: encode(openCodec, opened) })
    const answers = (step: string, message: Message): readonly Message[] => {
      if (step === "open") return [opening]
      if (step !== "deal") return [message]
      return [signedAgain(message, signer, { broadcast: encoded })]
    }
    const told = { step: "open", by: "sender", field: `committed.${field}`, mutation } as const
    yield attackAt(scene, { ...told, victim: "all" }, { dishonest: sender, answers })
  }
}

/** What holders sign, and the label they sign it under. */
interface Statement {
  readonly rosterEpoch: number
  readonly size: number
  readonly root: Bytes
}

const statementCodec: Codec<Statement> = struct<Statement>({
  rosterEpoch: u32,
  size: u16,
  root: fixedBytes(32),
})

const LABEL = "reshare-outcome"

type Verdict = { readonly kind: "confirm"; readonly root: Bytes; readonly confirmation: Bytes }

/** A holder that confirms another outcome, and signs that rightly. */
export function* otherOutcomes(scene: ReshareScene): Iterable<Attack> {
  const { honest, elsewhere, sender, protocol, setting } = scene
  const { params } = setting.attempt
  const signer = identityOf(sender)
  const codec = scene.codecs.get("verdict")?.broadcast as unknown as Codec<Verdict>
  const message = messageOf(honest, "verdict", sender)
  const { root } = decode(codec, message.broadcast)
  const { rosterEpoch, groups } = params
  const elsewhereRoot = decode(codec, messageOf(elsewhere, "verdict", sender).broadcast).root
  const statement = (of: Bytes) =>
    encode(statementCodec, { rosterEpoch, size: groups.length, root: of })
  const mutants = mutantsOf({
    ...{ name: `${protocol}/outcome/${sender}`, codec: statementCodec as Codec<unknown> },
    ...{ encoded: statement(root), sessions: statement(elsewhereRoot) },
  })
  for (const { field, mutation, encoded } of mutants) {
    const said = decodedOrNull(statementCodec, encoded)
    if (!said) continue
    const confirmation = signLabelled(signer, LABEL, statementCodec, said)
    const broadcast = encode(codec, { kind: "confirm", root: said.root, confirmation })
    const lie = signedAgain(message, signer, { broadcast })
    const told = { step: "verdict", by: "sender", field: `outcome.${field}`, mutation } as const
    yield attackAt(scene, { ...told, victim: "all" }, liesToAll(scene, "verdict", lie))
  }
}

/** The confirmations of a run as it ended. */
export function certificateOf({ honest }: Pick<ReshareScene, "honest">): reshare.BatchCertificate {
  const { task } = checkpointOf(honest, "end")
  if (task.kind !== "confirmed") throw new Error("an honest run is confirmed")
  return task.certificate
}
