import assert from "node:assert/strict"
import { it } from "node:test"
import {
  LAST_ACCOUNT_ID,
  leaveReshareBody,
  leaveReshareInput,
  listWaitingBody,
  RESHARE_STEPS,
  reshareBody,
  reshareDescribeInput,
  reshareOpenInput,
  reshareStepInput,
  shownReshare,
  showReshareBody,
  waitingPage,
} from "@lockkeeper/api"
import { reshare } from "@lockkeeper/protocols"
import { sample, testCodec } from "./codec-checks.ts"
import { seeded } from "./fixtures.ts"

const sharing = {
  ...{ id: seeded("id", 32), context: seeded("context", 32), group: "secp256k1" as const },
  ...{ keyEpoch: 2, rosterEpoch: 1, minSigners: 2, verifyingKey: seeded("key", 33) },
  verifyingShares: new Map([
    [1, seeded("share 1", 33)],
    [3, seeded("share 3", 33)],
  ]),
}
const keys = [{ sharing, toKeyEpoch: 4 }]
const params: reshare.ReshareParams = {
  ...{ kind: "reshare", dealers: [1, 3], holders: [4, 5, 6], minSigners: 3, rosterEpoch: 2 },
  ...{ attempt: 7, groups: ["secp256k1"], keys: reshare.keysRoot(keys) },
}
const range = { after: null, to: LAST_ACCOUNT_ID, generation: 9 }
const certificate = {
  ...{ sharing, index: 0, size: 2, path: [seeded("sibling", 32)] },
  confirmations: new Map([[1, seeded("confirmation", 64)]]),
}
const sealed = { encapsulated: seeded("encapsulated", 1120), ciphertext: seeded("sealed", 40) }
const records = [{ holder: 1, ...sealed, signature: seeded("signature", 64) }]
const run = seeded("run", 32)

const SAMPLES = [
  sample(
    "reshareBody",
    reshareBody,
    { kind: "keys", params, range: null },
    { kind: "accounts", params, range },
  ),
  sample("reshareOpenInput", reshareOpenInput, { keys }),
  sample(
    "reshareStepInput",
    reshareStepInput,
    { messages: [], opens: [], records: [] },
    { messages: [seeded("deal", 5)], opens: [seeded("open", 5)], records },
  ),
  sample("reshareDescribeInput", reshareDescribeInput, {
    ...{ keys, member: 4, opening: seeded("opening", 9) },
  }),
  sample(
    "leaveReshareBody",
    leaveReshareBody,
    { kind: "keys", range: null, run },
    { kind: "accounts", range, run: null },
  ),
  sample(
    "leaveReshareInput",
    leaveReshareInput,
    { certificates: [] },
    { certificates: [certificate] },
  ),
  sample("showReshareBody", showReshareBody, { kind: "keys", id: sharing.id, run }),
  sample(
    "shownReshare",
    shownReshare,
    { certificate: null, former: null, params: null, range: null },
    { certificate, former: certificate, params, range },
  ),
  sample(
    "listWaitingBody",
    listWaitingBody,
    { kind: "keys", after: null },
    { kind: "accounts", after: run },
  ),
  sample(
    "waitingPage",
    waitingPage,
    { runs: [], next: null },
    { runs: [{ run, root: seeded("root", 32), ids: [sharing.id] }], next: run },
  ),
]

for (const one of SAMPLES) testCodec(one)

it("10 codecs are sampled in this file", () => assert.equal(SAMPLES.length, 10))

it("steps keep their numbers", () => {
  const before = { open: 1, deal: 2, verdict: 3, activate: 4, answer: 5 }
  assert.deepEqual(RESHARE_STEPS, { ...before, describe: 6 })
})
