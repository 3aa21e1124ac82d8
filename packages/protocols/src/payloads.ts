/**
 * What the messages of each protocol carry, step by step: for tools that change or invent messages.
 * Nothing here is needed to take part in a protocol.
 */
import { groupByName } from "@lockkeeper/crypto"
import type { Codec } from "@lockkeeper/encoding"
import {
  answerPayloadCodec,
  openPayloadCodec,
  revealPayloadCodec,
  verdictPayloadCodec,
} from "./dkg/payloads.ts"
import {
  type DklsStepCodecs,
  onlineStepCodecs,
  presignStepCodecs,
  setupStepCodecs,
} from "./dkls/payload-codecs.ts"
import { sealedPayloadCodec } from "./dkls/presign/payloads.ts"
import { rawBodyCodec } from "./frost/commitment.ts"
import { shareBodyCodec } from "./frost/sign.ts"
import { groupOf, type KeyType } from "./key-types.ts"
import { accountDealingCodec, confirmationsCodec } from "./opaque/account.ts"
import { loginResponseCodec } from "./opaque/evaluation.ts"
import { ke1Codec } from "./opaque/key-exchange.ts"
import type { RepairParams } from "./repair/params.ts"
import * as repair from "./repair/payloads.ts"
import type { ReshareParams } from "./reshare/params.ts"
import * as reshare from "./reshare/payloads.ts"

export * as dklsInside from "./dkls/inside.ts"
export { evidenceCodec } from "./evidence/evidence.ts"
export { sealedPartCodec } from "./messages/sealing.ts"
export {
  evaluateShare,
  loginResponseCodec,
  signEvaluation,
  statementOf,
} from "./opaque/evaluation.ts"
export { ke1Codec } from "./opaque/key-exchange.ts"
export { vectorsCommitment } from "./reshare/checks.ts"

/** The bodies of one step's messages; null where there is no such part. */
export interface StepPayloads {
  readonly protocol: string
  readonly step: string
  /** What everyone gets; in OPAQUE, which has no broadcasts, what the other end gets. */
  readonly broadcast: Codec<unknown> | null
  /** What one recipient finds in its sealed part. */
  readonly sealed: Codec<unknown> | null
}

function row<B, S>(
  protocol: string,
  step: string,
  broadcast: Codec<B> | null,
  sealed: Codec<S> | null = null,
): StepPayloads {
  return { protocol, step, broadcast, sealed } as unknown as StepPayloads
}

/** Of a batch of one presignature. */
function dklsRows(): StepPayloads[] {
  const one = (protocol: string) => (step: DklsStepCodecs) => ({
    ...{ protocol, step: step.name, broadcast: step.broadcast },
    sealed: step.payload ? sealedPayloadCodec : step.product,
  })
  return [
    ...setupStepCodecs.map(one("dkls-setup")),
    ...presignStepCodecs(1).map(one("dkls-presign")),
    ...onlineStepCodecs.map(one("dkls-sign")),
  ]
}

/** The steps of a refresh or reshare with these parameters. */
export function reshareStepPayloads(params: reshare.DealForm & Kind): readonly StepPayloads[] {
  const { kind } = params
  return [
    row(kind, "open", reshare.openPayloadCodec),
    row(kind, "deal", reshare.dealPayloadCodec(params), reshare.sealedSharesCodec(params)),
    row(kind, "verdict", reshare.verdictPayloadCodec),
    row(kind, "answer", reshare.answerPayloadCodec),
  ]
}

type Kind = Pick<ReshareParams, "kind">

/** The steps of a repair with these parameters. */
export function repairStepPayloads(
  params: Pick<RepairParams, "groups" | "helpers">,
): readonly StepPayloads[] {
  const scalars = reshare.sealedSharesCodec(params)
  return [
    row("repair", "open", repair.openPayloadCodec),
    row("repair", "split", repair.splitPayloadCodec(params), scalars),
    row("repair", "sum", repair.sumPayloadCodec, scalars),
    row("repair", "verdict", repair.verdictPayloadCodec),
    row("repair", "answer", repair.answerPayloadCodec),
  ]
}

/** Of a batch of one key, to and from a threshold of two. */
function resharingRows(keyType: KeyType): StepPayloads[] {
  const groups = [groupOf(keyType)]
  return [
    ...reshareStepPayloads({ kind: "refresh", groups, minSigners: 2 }),
    ...reshareStepPayloads({ kind: "reshare", groups, minSigners: 2 }),
    ...repairStepPayloads({ groups, helpers: [1, 2] }),
  ]
}

/** Every step of every protocol, for keys of one type. */
export function payloadCodecs(keyType: KeyType): readonly StepPayloads[] {
  const group = groupByName(groupOf(keyType))
  return [
    row("dkg", "open", openPayloadCodec),
    row("dkg", "reveal", revealPayloadCodec(group), group.scalar),
    row("dkg", "verdict", verdictPayloadCodec),
    row("dkg", "answer", answerPayloadCodec),
    row("frost", "commitment", rawBodyCodec),
    row("frost", "share", shareBodyCodec(keyType)),
    ...(keyType === "ecdsa-secp256k1" ? dklsRows() : []),
    ...resharingRows(keyType),
    row("opaque", "dealing", accountDealingCodec),
    row("opaque", "confirmations", confirmationsCodec),
    row("opaque", "ke1", ke1Codec),
    row("opaque", "response", loginResponseCodec),
  ]
}
