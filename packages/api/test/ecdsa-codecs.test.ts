import assert from "node:assert/strict"
import { it } from "node:test"
import {
  bulkStepInput,
  bulkStepOutput,
  deriveBody,
  pairStates,
  poolStatus,
  preparedEcdsa,
  prepareEcdsaBody,
  presignBody,
  type SignContent,
  setupPairsBody,
  signEcdsaBody,
  signEcdsaInput,
  signEcdsaOutput,
} from "@lockkeeper/api"
import { type Sample, sample, testCodec } from "./codec-checks.ts"
import { seeded as b } from "./fixtures.ts"

const keyId = b("id", 32)
const prepared = { nonces: [b("n", 200)], presignatures: [keyId] }
const pairs = [
  { peer: 1, state: "none" },
  { peer: 3, state: "live" },
  { peer: 4, state: "dead" },
] as const

const CONTENTS: readonly SignContent[] = [
  { kind: "message", message: b("m", 32) },
  { kind: "evm-transaction", transaction: b("t", 100) },
  { kind: "evm-message", message: b("m", 10) },
  { kind: "evm-typed-data", typedData: "{}" },
  { kind: "bitcoin-input", psbt: b("p", 90), input: 1 },
]

const SAMPLES: readonly Sample<unknown>[] = [
  sample("setupPairsBody", setupPairsBody, { participants: [1, 2, 3] }),
  sample("pairStates", pairStates, [], pairs),
  sample("presignBody", presignBody, {
    ...{ keyId, keyEpoch: 2, signers: [1, 2], count: 16, urgency: "background", ready: 3 },
  }),
  sample("bulkStepInput", bulkStepInput, { messages: [] }, { messages: [b("m", 40)] }),
  sample(
    "bulkStepOutput",
    bulkStepOutput,
    { kind: "message", message: b("m", 40) },
    { kind: "complete" },
    {
      ...{ kind: "aborted", reason: "pairwise-fault", culprits: [], pair: [1, 2] },
      evidence: [b("e", 50)],
    },
    { kind: "aborted", reason: "wrong-opening", culprits: [2], pair: null, evidence: [] },
  ),
  sample("poolStatus", poolStatus, {
    ...{ sets: [{ signers: [1, 2], ready: 3, oldestAt: 9 }], cap: 64, maxAgeMs: 1, busy: 2 },
    pairs,
  }),
  sample("deriveBody", deriveBody, { keyId, path: [] }, { keyId, path: [0, 2 ** 32 - 1] }),
  sample("prepareEcdsaBody", prepareEcdsaBody, { keyId, keyEpoch: 2, signers: [1, 2], count: 16 }),
  sample("preparedEcdsa", preparedEcdsa, { nonces: [], presignatures: [] }, prepared),
  sample(
    "signEcdsaBody",
    signEcdsaBody,
    ...CONTENTS.map((content) => ({ keyId, path: [1], content })),
  ),
  sample("signEcdsaInput", signEcdsaInput, {
    ...{ keyEpoch: 2, presignature: keyId, nonces: [b("n", 200), b("o", 200)], prepare: 2 },
  }),
  sample("signEcdsaOutput", signEcdsaOutput, {
    ...{ share: b("s", 200), certificate: b("c", 300), prepared },
  }),
]

for (const one of SAMPLES) testCodec(one)

it("covers 12 codecs and every kind of content", () => {
  assert.equal(SAMPLES.length, 12)
  assert.equal(CONTENTS.length, 5)
})
