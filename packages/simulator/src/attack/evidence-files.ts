import {
  encodeRoster,
  type Member,
  NO_SCHEDULE,
  signedRosterCodec,
  signRoster,
} from "@lockkeeper/api"
import { evidenceFile, verifyEvidenceFile } from "@lockkeeper/client"
import { type Identifier, ristretto255, xwingKeyPair } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  encode,
  fixedBytes,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import { mutantsOf } from "./mutations.ts"
import { identityOf, seeded } from "./seeded.ts"

/** The epoch in which all runs under attack take place. */
const ROSTER_EPOCH = 7

/** The fields of a file, as `evidenceFile` writes them. */
const fileCodec: Codec<unknown> = struct<{ label: null; rosterDigest: Bytes; evidence: Bytes }>({
  label: constant(utf8("lockkeeper/evidence-file/v1\n")),
  rosterDigest: fixedBytes(32),
  evidence: bytes(64 * 1024),
})

/** Single bytes changed in each file, beside its fields. */
const BYTES = 40

function memberOf(identifier: Identifier): Member {
  const name = `server-${identifier}`
  const scalar = ristretto255.scalarFromUniform(seeded(`roster/${identifier}`, 64))
  return {
    identifier,
    name,
    url: `https://${name}.example:7443`,
    identityKey: identityOf(identifier).publicKey,
    channelKey: xwingKeyPair(seeded(`roster/${identifier}/channel`)).publicKey,
    opaqueKey: ristretto255.multiplyBase(scalar),
    ...{ operator: `operator-${identifier}`, cloud: "cloud", jurisdiction: "law" },
  }
}

/** A roster that everyone in it has signed. */
function signedRosterOf(identifiers: readonly Identifier[], createdAt = 1): Bytes {
  const roster = encodeRoster({
    ...{ rosterEpoch: ROSTER_EPOCH, minSigners: 2, createdAt, ...NO_SCHEDULE, transition: null },
    members: identifiers.map(memberOf),
    placement: { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false },
    previousDigest: seeded("the roster before"),
  })
  const signatures = new Map(identifiers.map((i) => [i, signRoster(roster, identityOf(i))]))
  return encode(signedRosterCodec, { roster, signatures })
}

/** Whether a file of this evidence proves anything to somebody who has these members' roster. */
export function proves(evidence: Bytes, identifiers: readonly Identifier[]): boolean {
  const trusted = signedRosterOf([...identifiers].sort((a, b) => a - b))
  return verifyEvidenceFile(evidenceFile(trusted, evidence), trusted).valid
}

/** What altering one evidence file came to. */
export interface AlteredFile {
  readonly altered: number
  readonly accepted: readonly string[]
  /** Of the file as it was, bytes. */
  readonly length: number
}

/** Alters a file in every field and in single bytes, and verifies it by other rosters too. */
export function alterFile(evidence: Bytes, identifiers: readonly Identifier[]): AlteredFile {
  const members = [...identifiers].sort((a, b) => a - b)
  const trusted = signedRosterOf(members)
  const other = signedRosterOf(members, 2)
  const file = evidenceFile(trusted, evidence)
  const verdict = verifyEvidenceFile(file, trusted)
  if (!verdict.valid) throw new Error(`a file of valid evidence is refused: ${verdict.why}`)
  const changed: [string, Bytes, Bytes][] = mutantsOf({
    ...{ name: "evidence file", codec: fileCodec, encoded: file },
    sessions: evidenceFile(other, evidence),
  }).map(({ field, mutation, encoded }) => [`${field} ${mutation}`, encoded, trusted])
  for (let i = 0; i < BYTES; i++) {
    const [a = 0, b = 0, c = 0, d = 0] = seeded(`file/${i}/${file.length}`, 4)
    const at = (a * 65_536 + b * 256 + c) % file.length
    const altered = file.slice()
    altered[at] = (altered[at] as number) ^ (d || 1)
    changed.push([`byte ${at}`, altered, trusted])
  }
  changed.push(["another roster trusted", file, other])
  const accepted = changed
    .filter(([, bytes, roster]) => verifyEvidenceFile(bytes, roster).valid)
    .map(([what]) => `file: ${what}`)
  return { altered: changed.length, accepted, length: file.length }
}
