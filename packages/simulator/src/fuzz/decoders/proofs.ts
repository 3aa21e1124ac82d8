import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"
import { decodeEvidence, encodeEvidence, verifyEvidence } from "@lockkeeper/protocols"
import { TARGETS } from "../../attack/targets.ts"
import type { Decoder } from "../decoder.ts"

/** Protocols of the attack suite whose lies are proven soon: setups and presigning take seconds. */
const PROTOCOLS =
  /^(dkg|frost|opaque|dkls-(sign|edges) 2\/3|reshare\/refresh 2 of 3|repair\/2 of 3)/

/** Fields of one step that are tried for evidence, and lies in each. */
const FIELDS_PER_STEP = 3
const LIES_PER_FIELD = 2

type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/** Evidence that convinces, and the keys of those whom it is about. */
export interface Proofs {
  readonly evidence: readonly Bytes[]
  readonly verifyKeys: readonly VerifyKeys[]
}

/** Evidence from the attack suite: of each kind that these protocols give, the first few. */
export async function gatherProofs(): Promise<Proofs> {
  const evidence = new Map<string, Bytes>()
  const verifyKeys = new Map<string, VerifyKeys>()
  for (const make of TARGETS) {
    const target = make()
    if (!PROTOCOLS.test(target.protocol)) continue
    const tried = new Map<string, Map<string, number>>()
    for await (const attack of target.attacks()) {
      if (attack.by !== "sender") continue
      const fields = tried.get(attack.step) ?? new Map<string, number>()
      const lies = fields.get(attack.field) ?? 0
      if (lies >= LIES_PER_FIELD || (lies === 0 && fields.size >= FIELDS_PER_STEP)) continue
      tried.set(attack.step, fields.set(attack.field, lies + 1))
      const verdicts = await attack.run()
      for (const item of verdicts.aborts.flatMap((ended) => ended.evidence)) {
        const encoded = encodeEvidence(item)
        if (!verifyEvidence(encoded, verdicts.verifyKeys).valid) continue
        evidence.set(`${item.kind} ${target.protocol}`, encoded)
        verifyKeys.set([...verdicts.verifyKeys].join(), verdicts.verifyKeys)
      }
    }
  }
  return { evidence: [...evidence.values()], verifyKeys: [...verifyKeys.values()] }
}

/** What the codecs of single kinds of evidence were seen or invented with, as whole evidence. */
export function shapedEvidence(codecs: readonly Decoder[]): readonly Bytes[] {
  const bodies = codecs
    .filter(({ name }) => name.startsWith("packages/protocols/src/evidence/"))
    .flatMap(({ samples }) => samples.slice(0, 3))
  return bodies.flatMap((body) =>
    // Which kind it is shows in which tag it can be read behind.
    Array.from({ length: 64 }, (_, tag) => concat(Uint8Array.of(1, tag), body)).filter(isEvidence),
  )
}

function isEvidence(encoded: Bytes): boolean {
  try {
    decodeEvidence(encoded)
    return true
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}
