import assert from "node:assert/strict"
import { it } from "node:test"
import {
  describeInput,
  REPAIR_STEPS,
  recordsPlace,
  recordsStatement,
  repairBody,
  repairOpenInput,
  repairOpenOutput,
  repairStepInput,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import { encode, utf8 } from "@lockkeeper/encoding"
import { repair } from "@lockkeeper/protocols"
import { sample, testCodec } from "./codec-checks.ts"
import { seeded } from "./fixtures.ts"

const sharings = [
  {
    ...{ id: seeded("id", 32), context: seeded("context", 32), group: "secp256k1" as const },
    ...{ keyEpoch: 2, rosterEpoch: 1, minSigners: 2, verifyingKey: seeded("key", 33) },
    verifyingShares: new Map([
      [1, seeded("share 1", 33)],
      [3, seeded("share 3", 33)],
    ]),
  },
]
const params: repair.RepairParams = {
  ...{ helpers: [1, 2], member: 3, rosterEpoch: 1, attempt: 7 },
  ...{ groups: ["secp256k1"], keys: repair.sharingsRoot(sharings) },
}
const place = { label: null, run: seeded("run", 32), kind: "keys", holder: 1, member: 3 } as const
const sealed = { encapsulated: seeded("encapsulated", 1120), ciphertext: seeded("sealed", 40) }
const records = { holder: 1, ...sealed, signature: seeded("signature", 64) }
const nothing = { opens: [], splits: [], sums: [], complaints: [], about: null, records: [] }

const SAMPLES = [
  sample("repairBody", repairBody, { kind: "keys", params }, { kind: "accounts", params }),
  sample("repairOpenInput", repairOpenInput, { sharings }),
  sample(
    "repairOpenOutput",
    repairOpenOutput,
    { kind: "message", message: seeded("message", 9) },
    { kind: "unfit", entries: [{ index: 0, reason: "wrong-key" }] },
  ),
  sample("sealedRecords", sealedRecordsCodec, records),
  sample("recordsPlace", recordsPlace, place),
  sample("recordsStatement", recordsStatement, { ...place, ...sealed }),
  sample("describeInput", describeInput, { sharings, opening: seeded("opening", 9) }),
  sample("repairStepInput", repairStepInput, nothing, {
    ...{ opens: [seeded("open", 5)], splits: [seeded("split", 5)], sums: [seeded("sum", 5)] },
    ...{ complaints: [seeded("complaint", 5)], about: "sum" },
    records: [records],
  }),
]

for (const one of SAMPLES) testCodec(one)

it("8 codecs are sampled in this file", () => assert.equal(SAMPLES.length, 8))

it("what a holder signs of its records is no other signature's: it has a label of its own", () => {
  const bytes = encode(recordsStatement, { ...place, ...sealed })
  const label = utf8("lockkeeper/repair-records/v1")
  assert.deepEqual(bytes.slice(0, label.length), label)
})

it("steps keep their numbers", () => {
  assert.deepEqual(REPAIR_STEPS, {
    ...{ open: 1, split: 2, sum: 3, verdict: 4, answer: 5, describe: 6, finish: 7 },
  })
})
