import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import { encodeEvidence, type reshare, signMessage, verifyEvidence } from "../src/index.ts"
import { echoDigest } from "../src/messages/echo.ts"
import { confirmOutcome } from "../src/reshare/certificate.ts"
import { headDigest } from "../src/reshare/keys.ts"
import { runSession, slotOf } from "../src/reshare/params.ts"
import { verdictPayloadCodec } from "../src/reshare/payloads.ts"
import { rootOf } from "../src/sharing/tree.ts"
import { identity, rosterOf } from "./messages-fixtures.ts"

const CHEATER = 3

test("evidence about a run that cannot be is not judged: that could take for ever", () => {
  // Nobody deals, so that nothing but the parameters says how long the polynomials are.
  const holders = Array.from({ length: 24 }, (_, i) => i + 1)
  const group = "edwards25519" as const
  const heads = Array.from(
    { length: 200 },
    (_, i) =>
      ({
        ...{ id: new Uint8Array(32).fill(i), context: new Uint8Array(32), group, toKeyEpoch: 2 },
        ...{ verifyingKey: groupByName(group).generator, shares: new Uint8Array(32) },
      }) as const,
  )
  const params: reshare.ReshareParams = {
    ...{ kind: "reshare", dealers: [], holders, minSigners: 0xffff, rosterEpoch: 1, attempt: 1 },
    ...{ groups: heads.map(() => group), keys: rootOf(heads.map(headDigest)) },
  }
  const run = { params, openings: new Map([[CHEATER, new Uint8Array(32)]]) }
  const statement = { rosterEpoch: 1, size: heads.length, root: new Uint8Array(32) }
  const confirmation = confirmOutcome(identity(CHEATER), statement)
  const slot = slotOf(params, "verdict", runSession(run), CHEATER)
  const { header, broadcast } = signMessage(identity(CHEATER), slot, {
    previousDigest: echoDigest(new Map()),
    broadcast: encode(verdictPayloadCodec, { kind: "confirm", root: statement.root, confirmation }),
  })
  const verdict = { header, broadcast }
  const evidence = { kind: "reshare-confirmation" as const, run, heads, deals: new Map(), verdict }
  const started = performance.now()
  const found = verifyEvidence(encodeEvidence(evidence), rosterOf(holders))
  assert.deepEqual(found, { valid: false, why: "verdict: wrong-threshold" })
  assert.ok(performance.now() - started < 1_000)
})
