import type { Identifier } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import {
  type Abort,
  type Evidence,
  encodeEvidence,
  type Message,
  verifyEvidence,
} from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { signedAgain } from "../forgery.ts"
import type { Attack, Target, Verdicts } from "../harness.ts"
import { identityOf } from "../seeded.ts"
import { problemOf } from "./expected.ts"
import { dealtParties, type Parties } from "./parties.ts"
import { PresignDriver } from "./presign-driver.ts"
import { sharedPairs } from "./presign-scene.ts"

type EdgeEvidence = Extract<Evidence, { kind: "dkls-edge" }>
type Edge = EdgeEvidence["edge"]

/** Servers 1 to 3, any two of which sign: of two edges to different ends one has an honest end. */
const LIAR: Identifier = 2
const STEPS = [2, 3, 4] as const

/** The edge that everyone can show of a run in which the liar accuses the other signer. */
function edgeOf(parties: Parties, signers: readonly Identifier[], step: 2 | 3 | 4, seed: string) {
  const accused = signers.find((signer) => signer !== LIAR)!
  const broadcast = encode(dklsInside.saidPayloadCodec, { kind: "accuse", accused })
  const accuses = (message: Message) =>
    signedAgain(message, identityOf(LIAR), { broadcast, sealed: new Map() })
  const driver = new PresignDriver(parties, { signers, pairs: sharedPairs(), seed, batch: seed })
  const { aborts } = driver.finish({
    ...{ liar: LIAR, from: step },
    message: (at, message) => (at === step ? accuses(message) : message),
  })
  const items = [...aborts.values()].flatMap(({ evidence }) => evidence)
  const found = items.find((item): item is EdgeEvidence => item.kind === "dkls-edge")
  if (!found) throw new Error("an accusation makes no edge")
  return { abort: [...aborts.values()][0]!, edge: found.edge }
}

function evidenceOf(parties: Parties, culprit: Identifier, edges: readonly Edge[]): Evidence {
  return { kind: "dkls-edges", culprit, certificate: parties.certificate, edges }
}

/** Edges with as many others as the key takes to sign prove their common end. */
function provenByEdges(parties: Parties, step: 2 | 3 | 4): Verdicts {
  const edges = [
    edgeOf(parties, [1, LIAR], step, "edge/1"),
    edgeOf(parties, [LIAR, 3], step, "edge/3"),
  ]
  const evidence = [
    evidenceOf(
      parties,
      LIAR,
      edges.map(({ edge }) => edge),
    ),
  ]
  const abort: Abort = { ...edges[0]!.abort, culprits: [LIAR], pair: null, evidence }
  return { verifyKeys: parties.verifyKeys, aborts: [abort], finished: false, accepted: [] }
}

/** However often one accuses an honest server, that proves nothing of it. */
function framedByEdges(parties: Parties, step: 2 | 3 | 4): Verdicts {
  const edges = ["first", "second", "third"].map((seed) =>
    edgeOf(parties, [1, LIAR], step, `framed/${seed}`),
  )
  const framed = evidenceOf(
    parties,
    1,
    edges.map(({ edge }) => edge),
  )
  const { valid } = verifyEvidence(encodeEvidence(framed), parties.verifyKeys)
  const accepted = valid ? ["edges with one server alone as proof against the other end"] : []
  const aborts = edges.map(({ abort }) => abort)
  return { verifyKeys: parties.verifyKeys, aborts, finished: false, accepted }
}

/** Pairs that fail in several runs, put together. */
export function edgesTarget(): Target {
  const protocol = "dkls-edges 2/3"
  return {
    ...{ protocol, steps: STEPS.map(String), harmless: [], unattributable: [] },
    problemOf,
    *attacks() {
      const parties = dealtParties({ minSigners: 2, servers: 3, seed: "key 2/3" })
      for (const step of STEPS) {
        const about = {
          ...{ protocol, step: String(step), field: "accusation" },
          ...({ by: "sender", sender: LIAR, victim: "all" } as const),
        }
        const attacks: Attack[] = [
          { ...about, mutation: "of two others", run: () => provenByEdges(parties, step) },
          { ...about, mutation: "of one, three times", run: () => framedByEdges(parties, step) },
        ]
        yield* attacks
      }
    },
  }
}
