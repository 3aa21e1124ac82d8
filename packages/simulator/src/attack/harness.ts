import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import {
  type Abort,
  type Evidence,
  encodeEvidence,
  LIMITS,
  verifyEvidence,
} from "@lockkeeper/protocols"

/**
 * Who deviates: the participant that signs a message, whoever carries it, whoever puts together
 * what participants are asked, or the client that an account belongs to. Only the first can be named.
 */
export type By = "sender" | "relay" | "coordinator" | "client"

/** One deviation from one protocol. */
export interface Case {
  readonly protocol: string
  readonly step: string
  readonly field: string
  readonly mutation: string
  readonly by: By
  /** Author of what is changed: at fault only if it changed it itself. */
  readonly sender: Identifier
  /** Who gets to see the change. */
  readonly victim: Identifier | "all"
}

export interface Attack extends Case {
  /** Runs the real protocol with this one deviation. */
  run(): Verdicts | Promise<Verdicts>
}

/** Where a protocol ended for those who keep to it. */
export interface Verdicts {
  /** The roster: what evidence is verified with. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  /** Why honest participants, coordinator or client stopped; also faults beside a good end. */
  readonly aborts: readonly Ended[]
  /** What servers refused with, each its code and field, where no protocol aborted. */
  readonly refused?: readonly string[]
  /** What is proven only by comparing what several of them were shown, after the run. */
  readonly compared?: readonly Ended[]
  /** Whether everyone honest has the result, and it is right. */
  readonly finished: boolean
  /** Wrong results that somebody honest took for right ones, in words. */
  readonly accepted: readonly string[]
}

export type Ended = Pick<Abort, "reason" | "culprits" | "pair" | "evidence"> &
  Partial<Pick<Abort, "silent" | "field">>

/** Deviations of one kind that name nobody, and why that is right. */
export interface Kind {
  readonly why: string
  covers(attack: Case, verdicts: Verdicts): boolean
}

/** A protocol under attack. */
export interface Target {
  readonly protocol: string
  readonly steps: readonly string[]
  attacks(): Iterable<Attack> | AsyncIterable<Attack>
  /** Changes that are other valid choices of their author. */
  readonly harmless: readonly Kind[]
  /** Stops for which nobody can be named. */
  readonly unattributable: readonly Kind[]
  /** What is wrong with how a case ended, where it is known more exactly how it has to; else null. */
  readonly problemOf?: (result: CaseResult) => string | null
}

export type Outcome = "culprit" | "pair" | "harmless" | "unattributable"

export interface CaseResult extends Case {
  readonly outcome: Outcome | "failure"
  /** Of an abort, or what a server refused with. */
  readonly reason: string | null
  readonly culprits: readonly Identifier[]
  /** Of the kind, for what is harmless or cannot be attributed; of the failure, for those. */
  readonly why: string
  readonly honestBlamed: boolean
  readonly wrongAccepted: boolean
  /** Valid evidence that the case gave, encoded, and what it is verified with. */
  readonly evidence: readonly Bytes[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

export function idOf({ protocol, step, by, field, mutation, sender, victim }: Case): string {
  return [protocol, step, by, field, mutation, `${sender}-${victim}`].join("/").replaceAll(" ", "_")
}

interface Proof {
  readonly culprits: readonly Identifier[]
  readonly pairs: readonly (readonly [Identifier, Identifier])[]
  readonly evidence: readonly Bytes[]
  readonly problems: readonly string[]
}

/** What the evidence of a case proves to somebody who has nothing but the roster. */
function proofOf(aborts: readonly Ended[], { verifyKeys }: Verdicts): Proof {
  const culprits = new Set<Identifier>()
  const pairs: (readonly [Identifier, Identifier])[] = []
  const evidence: Bytes[] = []
  const problems: string[] = []
  for (const item of aborts.flatMap((ended) => ended.evidence)) {
    const encoded = encodedOrNull(item)
    if (encoded === null) {
      problems.push(`evidence of kind ${item.kind} is above ${LIMITS.evidence} bytes`)
      continue
    }
    const verdict = verifyEvidence(encoded, verifyKeys)
    if (!verdict.valid) {
      problems.push(`evidence of kind ${item.kind} is worthless: ${verdict.why}`)
      continue
    }
    evidence.push(encoded)
    if ("pair" in verdict) pairs.push(verdict.pair)
    else culprits.add(verdict.culprit)
  }
  for (const named of aborts.flatMap((ended) => ended.culprits)) {
    if (!culprits.has(named)) problems.push(`participant ${named} is named without evidence`)
  }
  return { culprits: [...culprits], pairs, evidence, problems }
}

function encodedOrNull(evidence: Evidence): Bytes | null {
  try {
    return encodeEvidence(evidence)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return null
  }
}

/** Why a culprit is named whom nobody in the run could name. */
export const BY_COMPARISON = "named by two of its signed headers once they are compared"

/** What nobody's input may reach: an assertion of honest code that fails. */
function thrown(about: Case, error: unknown): CaseResult {
  const why = `threw ${error instanceof Error ? error.message : String(error)}`
  const unnamed = { reason: null, culprits: [], evidence: [], verifyKeys: new Map() }
  return {
    ...about,
    ...unnamed,
    outcome: "failure",
    why,
    honestBlamed: false,
    wrongAccepted: false,
  }
}

/** Runs one case and says what became of it. */
export async function judge(target: Target, attack: Attack): Promise<CaseResult> {
  const result = await judged(target, attack)
  const problem = result.outcome === "failure" ? null : target.problemOf?.(result)
  return problem ? { ...result, outcome: "failure", why: problem } : result
}

async function judged(target: Target, attack: Attack): Promise<CaseResult> {
  const { protocol, step, field, mutation, by, sender, victim } = attack
  const about: Case = { protocol, step, field, mutation, by, sender, victim }
  let verdicts: Verdicts
  try {
    verdicts = await attack.run()
  } catch (error) {
    return thrown(about, error)
  }
  const { aborts, compared = [] } = verdicts
  const proof = proofOf([...aborts, ...compared], verdicts)
  const dishonest = by === "sender" ? sender : null
  const namedPairs = [...proof.pairs, ...aborts.flatMap(({ pair }) => (pair ? [pair] : []))]
  const named = [...proof.culprits, ...aborts.flatMap(({ culprits }) => culprits)]
  const honestBlamed =
    named.some((identifier) => identifier !== dishonest) ||
    namedPairs.some(([a, b]) => a !== dishonest && b !== dishonest)
  const wrongAccepted = verdicts.accepted.length > 0
  const result = {
    ...about,
    reason: [...aborts, ...compared][0]?.reason ?? verdicts.refused?.[0] ?? null,
    culprits: [...new Set(named)],
    honestBlamed,
    wrongAccepted,
    evidence: proof.evidence,
    verifyKeys: verdicts.verifyKeys,
  }
  const fail = (why: string): CaseResult => ({ ...result, outcome: "failure", why })
  if (wrongAccepted) return fail(`wrong result accepted: ${verdicts.accepted.join("; ")}`)
  if (honestBlamed)
    return fail(`honest participants blamed: ${named}; pairs ${namedPairs.join(" ")}`)
  if (proof.problems.length > 0) return fail(proof.problems.join("; "))
  if (proof.culprits.length > 0) {
    const inRun = aborts.some(({ culprits }) => culprits.length > 0)
    return { ...result, outcome: "culprit", why: inRun ? "" : BY_COMPARISON }
  }
  if (namedPairs.length > 0) return { ...result, outcome: "pair", why: "" }
  const outcome = verdicts.finished && aborts.length === 0 ? "harmless" : "unattributable"
  const kind = target[outcome].find(({ covers }) => covers(about, verdicts))
  if (kind) return { ...result, outcome, why: kind.why }
  return fail(outcome === "harmless" ? "ended well for no known reason" : "nobody is named")
}
