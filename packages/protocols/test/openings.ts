import assert from "node:assert/strict"
import type { Identifier } from "@lockkeeper/crypto"
import { equivocationOf } from "../src/evidence/equivocation.ts"
import {
  type Abort,
  type Evidence,
  encodeEvidence,
  type Message,
  type Outcome,
  type Statement,
  verifyEvidence,
} from "../src/index.ts"
import { identity, rewrite, seeded } from "./messages-fixtures.ts"

// What holds of the first step of every run that a coordinator asks for with parameters.

type Roster = ReadonlyMap<Identifier, Uint8Array>

const verdictOn = (evidence: Evidence, roster: Roster) =>
  verifyEvidence(encodeEvidence(evidence), roster)

/** Somebody refused, for this reason, and blames nobody. */
export function assertUnblamed(outcome: Outcome<unknown>, reason: Abort["reason"]): void {
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.culprits], [reason, []])
  assert.deepEqual(outcome.abort.evidence, [])
}

/** Two openings of a participant that has forgotten the first: different, and no evidence. */
export function assertInnocent(first: Message, second: Message, roster: Roster): void {
  assert.notDeepEqual(first.header, second.header)
  const verdict = verdictOn(equivocationOf(first.header, second.header), roster)
  assert.deepEqual(verdict, { valid: false, why: "the headers belong to different slots" })
}

/** What nobody honest signs beside `opening`: one nonce for two openings, of one request or of two. */
export function underOneNonce(opening: Message, sender: Identifier, other: Message): Message[] {
  const header = { previousDigest: seeded("another request", 32) }
  return [
    rewrite(opening, identity(sender), { broadcast: other.broadcast }),
    rewrite(opening, identity(sender), { header }),
  ]
}

export function assertEquivocation(found: Abort, culprit: Identifier, roster: Roster): void {
  const { reason, culprits, evidence } = found
  assert.deepEqual([reason, culprits, evidence.length], ["equivocation", [culprit], 1])
  const verdict = verdictOn(evidence[0]!, roster)
  assert.deepEqual(verdict, { valid: true, culprit, reason: "equivocation" })
}

/** Junk that `sender` signs as its answer to one request is evidence under that one alone. */
export function assertFaultyUnderOne(
  opening: Message,
  sender: Identifier,
  under: { here(open: Statement): Evidence; elsewhere(open: Statement): Evidence },
  roster: Roster,
): void {
  const junk = rewrite(opening, identity(sender), { broadcast: seeded("junk", 9) })
  const open = { header: junk.header, broadcast: junk.broadcast }
  const named = { valid: true, culprit: sender, reason: "malformed-payload" }
  assert.deepEqual(verdictOn(under.here(open), roster), named)
  const worthless = { valid: false, why: "open: of another run" }
  assert.deepEqual(verdictOn(under.elsewhere(open), roster), worthless)
}
