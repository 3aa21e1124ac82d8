import {
  decodeRoster,
  encodeRoster,
  openRoster,
  rosterDigest,
  signedRosterCodec,
} from "@lockkeeper/api"
import { verifyEvidenceFile } from "@lockkeeper/client"
import { type Bytes, DecodeError, decode, encode, layoutOf } from "@lockkeeper/encoding"
import { verifyEvidence } from "@lockkeeper/protocols"
import type { World } from "../../index.ts"
import { ACCEPTED, type Decoder, REFUSED } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { ofBytes } from "./made-of.ts"
import { gatherProofs, type Proofs, shapedEvidence } from "./proofs.ts"

/** What servers sign for others to judge: rosters, and evidence against one of them. */
export async function trustDecoders(
  inside: Inside,
  world: World,
  codecs: readonly Decoder[],
): Promise<readonly Decoder[]> {
  const proofs = await gatherProofs()
  const layout = layoutOfEvidence(codecs, proofs)
  const shaped = shapedEvidence(codecs)
  const { roster: signedRoster, pin } = world.trust
  const { roster } = decode(signedRosterCodec, signedRoster)
  const client = "packages/client/src"
  const file = nameIn<(signed: Bytes, evidence: Bytes) => Bytes>(
    inside,
    `${client}/evidence.ts`,
    "evidenceFile",
  )
  const trustRoster = nameIn<(signed: Bytes, pin: Bytes) => object>(
    inside,
    `${client}/trust.ts`,
    "trustRoster",
  )
  return [
    ofBytes({
      name: "trust: roster",
      samples: [roster],
      read: (input) => ({ accepted: true, again: encodeRoster(decodeRoster(input)) }),
    }),
    {
      name: "trust: signed roster",
      samples: [signedRoster],
      weight: 0.3,
      change: null,
      layout: (sample) => layoutOf(signedRosterCodec, sample),
      read(input) {
        const signed = decode(signedRosterCodec, input)
        rosterDigest(signed.roster)
        openRoster(signed)
        return { accepted: true, again: encode(signedRosterCodec, signed) }
      },
    },
    ofBytes({
      name: "trust: pinned roster",
      samples: [signedRoster],
      weight: 0.3,
      read: (input) => (trustRoster(input, pin) ? ACCEPTED : REFUSED),
    }),
    ...evidenceDecoders(proofs, shaped, layout),
    ofBytes({
      name: "trust: evidence file",
      samples: proofs.evidence.map((evidence) => file(signedRoster, evidence)),
      weight: 0.2,
      // A file that opens is judged, and a judgement is all that is asked for: it may be "worthless".
      read(input) {
        const verdict = verifyEvidenceFile(input, signedRoster)
        return verdict.valid || !/malformed/.test(verdict.why) ? ACCEPTED : REFUSED
      },
    }),
  ]
}

/** Where the fields of evidence lie: as one of the codecs says that reads all of it. */
function layoutOfEvidence(codecs: readonly Decoder[], { evidence }: Proofs): Decoder["layout"] {
  const readsAll = ({ layout }: Decoder) => {
    try {
      return evidence.every((sample) => layout(sample) !== null)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return false
    }
  }
  const whole = codecs
    .filter(({ name }) => /^packages.protocols.src.evidence/.test(name))
    .find(readsAll)
  if (whole === undefined) throw new Error("no codec reads all kinds of evidence")
  return whole.layout
}

/** Judged by the keys of those whom it is about: most of what was changed is worthless then. */
function evidenceDecoders(
  { evidence, verifyKeys }: Proofs,
  shaped: readonly Bytes[],
  layout: Decoder["layout"],
): readonly Decoder[] {
  return [
    {
      name: "trust: evidence",
      samples: evidence,
      weight: 2,
      change: null,
      layout,
      read: (input) =>
        verifyKeys.some((keys) => verifyEvidence(input, keys).valid) ? ACCEPTED : REFUSED,
    },
    {
      name: "trust: evidence of every shape",
      samples: shaped,
      weight: 2,
      change: null,
      layout,
      // Nobody signed it: to be told that it is worthless is all that there is to get.
      read(input) {
        const why = verifyKeys.map((keys) => verifyEvidence(input, keys)).find(({ valid }) => valid)
        if (why === undefined) return ACCEPTED
        throw new Error("evidence that nobody signed convinces")
      },
    },
  ]
}
