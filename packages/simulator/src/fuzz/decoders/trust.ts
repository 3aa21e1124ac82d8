import {
  decodeRoster,
  encodeRoster,
  identityKeys,
  openRoster,
  rosterDigest,
  signedRosterCodec,
} from "@lockkeeper/api"
import { verifyEvidenceFile } from "@lockkeeper/client"
import { type Bytes, decode, encode, layoutOf } from "@lockkeeper/encoding"
import { verifyEvidence } from "@lockkeeper/protocols"
import type { World } from "../../index.ts"
import { ACCEPTED, type Decoder, REFUSED } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { ofBytes } from "./made-of.ts"

/** Evidence, and the keys of those whom it is about. */
export interface Proofs {
  readonly evidence: readonly Bytes[]
  readonly verifyKeys: ReadonlyMap<number, Uint8Array>
}

/** What servers sign for others to judge: rosters, and evidence against one of them. */
export function trustDecoders(inside: Inside, world: World, proofs: Proofs): readonly Decoder[] {
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
  const own = identityKeys(decodeRoster(roster))
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
    evidenceDecoder(inside, proofs),
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
    ofBytes({
      name: "trust: evidence against somebody else",
      samples: proofs.evidence,
      weight: 0.2,
      read: (input) => (verifyEvidence(input, own).valid ? REFUSED : ACCEPTED),
    }),
  ]
}

function evidenceDecoder(inside: Inside, { evidence, verifyKeys }: Proofs): Decoder {
  const path = "packages/protocols/src/evidence/evidence.ts"
  const codec = nameIn<Parameters<typeof layoutOf>[0]>(inside, path, "versioned")
  return {
    name: "trust: evidence",
    samples: evidence,
    weight: 0.4,
    change: null,
    layout: (sample) => layoutOf(codec, sample),
    read: (input) => (verifyEvidence(input, verifyKeys).valid ? ACCEPTED : REFUSED),
  }
}
