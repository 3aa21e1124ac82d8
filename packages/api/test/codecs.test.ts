import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  accountListing,
  activityBody,
  activityListings,
  activityShown,
  callAnswer,
  callPayload,
  changePasswordBody,
  charterShown,
  commitmentList,
  createKeyBody,
  decideActivityBody,
  errorBody,
  eventCodec,
  forgiveGuessesBody,
  keyListings,
  listActivitiesBody,
  listKeysBody,
  loginStatement,
  openActivityBody,
  openAnswer,
  openPayload,
  prepareBody,
  protocolStepInput,
  resumptionInput,
  setPolicyBody,
  showKeyBody,
  signBody,
  signedStatement,
  signStepInput,
  signStepOutput,
  subjectCodec,
  visitInput,
} from "@lockkeeper/api"
import { DecodeError, decode } from "@lockkeeper/encoding"
import { type Sample, sample, testCodec } from "./codec-checks.ts"
import { seeded } from "./fixtures.ts"

const b = seeded
const id = b("id", 32)
const error = {
  code: "wrong-password",
  message: "The password is wrong.",
  field: "",
  remedy: "Try again.",
  server: 0,
  guessesRemaining: 9,
} as const
const request = { request: b("request", 90), signature: b("signature", 64) }
const statement = { statement: b("statement", 90), signature: b("signature", 64) }
const log = { index: 5, head: b("head", 32) }

const subject = {
  kind: "sign",
  ...{ keyId: id, path: [1], merkleRoot: null },
  content: { kind: "message", message: b("message", 9) },
} as const
const verdict = { approval: b("approval", 90), signature: b("signature", 64) }
const activity = {
  state: "waiting",
  ...{ activityId: id, subject: id, intent: id, charter: id, policyVersion: 2 },
  ...{ openedAt: 3, expiresAt: 9, verdicts: [verdict] },
} as const

const SAMPLES: readonly Sample<unknown>[] = [
  sample("errorBody", errorBody, error, { ...error, guessesRemaining: null }),
  sample(
    "openPayload",
    openPayload,
    { kind: "register", issuedAt: 1, name: "ann" },
    { kind: "login", issuedAt: 1, name: "ann", shownVersion: 0, ke1: b("ke1", 96) },
    { kind: "resume", issuedAt: 1, accountId: id, statements: [statement], signature: b("s", 64) },
    { kind: "visit", issuedAt: 1, accountId: id, credential: id, signature: b("s", 64) },
  ),
  sample(
    "openAnswer",
    openAnswer,
    { kind: "refused", error },
    { kind: "register" },
    { kind: "login", response: b("response", 800), guessesRemaining: 9 },
    { kind: "resume", expiresAt: 9 },
    { kind: "visit", person: "ada", expiresAt: 9 },
  ),
  sample(
    "callPayload",
    callPayload,
    { kind: "register-deal", dealing: b("dealing", 500) },
    { kind: "register-activate", confirmations: b("confirmations", 300) },
    { kind: "login-finish", ke3: b("ke3", 64) },
    { kind: "act", request, step: 2, input: b("input", 40) },
    { kind: "close" },
  ),
  sample(
    "callAnswer",
    callAnswer,
    { kind: "refused", error },
    { kind: "register-deal", signature: b("s", 64) },
    { kind: "register-activate", log },
    {
      kind: "login-finish",
      accountId: id,
      opaqueVersion: 1,
      statement,
      accountKeys: b("keys", 200),
      confirmations: b("confirmations", 300),
      expiresAt: 9,
      log,
    },
    { kind: "act", output: b("output", 100), log },
    { kind: "close" },
  ),
  sample("createKeyBody", createKeyBody, {
    keyId: id,
    keyType: "bip340",
    custody: { kind: "custodial" },
    label: "savings",
    minSigners: 2,
    holders: [1, 2, 3],
    attempt: 1,
  }),
  sample("protocolStepInput", protocolStepInput, { messages: [] }, { messages: [b("m", 50)] }),
  sample("keyListings", keyListings, [
    {
      keyId: id,
      label: "",
      custody: { kind: "custodial" },
      state: "active",
      createdAt: 4,
      certificate: b("certificate", 100),
    },
  ]),
  sample("listKeysBody", listKeysBody, { after: null, limit: 64 }, { after: id, limit: 1 }),
  sample("forgiveGuessesBody", forgiveGuessesBody, { seen: 3 }),
  sample("showKeyBody", showKeyBody, { keyId: id }),
  sample("prepareBody", prepareBody, { keyId: id, keyEpoch: 2, count: 16 }),
  sample("commitmentList", commitmentList, [b("c", 200), b("d", 200)]),
  sample(
    "signBody",
    signBody,
    {
      keyId: id,
      path: [],
      content: { kind: "message", message: b("message", 40) },
      merkleRoot: null,
    },
    {
      keyId: id,
      path: [0, 5],
      content: { kind: "message", message: b("sighash", 32) },
      merkleRoot: new Uint8Array(0),
    },
  ),
  sample("signStepInput", signStepInput, { signingPackage: b("package", 400), prepare: 1 }),
  sample("signStepOutput", signStepOutput, { share: b("share", 200), commitments: [b("c", 200)] }),
  sample("changePasswordBody", changePasswordBody, { opaqueVersion: 2, registrationDigest: id }),
  sample("accountListing", accountListing, {
    accountId: id,
    name: "ann",
    opaqueVersion: 1,
    createdAt: 3,
  }),
  sample("loginStatement", loginStatement, {
    label: null,
    server: 1,
    rosterEpoch: 1,
    accountId: id,
    opaqueVersion: 1,
    loginAt: 3,
    expiresAt: 9,
  }),
  sample("signedStatement", signedStatement, statement),
  sample("setPolicyBody", setPolicyBody, { charter: b("charter", 90) }),
  sample("charterShown", charterShown, null, b("charter", 90)),
  sample("subject", subjectCodec, subject, { kind: "change-policy", charter: b("charter", 9) }),
  sample("openActivityBody", openActivityBody, { clientKey: b("key", 16), subject, expiresAt: 9 }),
  sample("activityListings", activityListings, [activity], [{ ...activity, intent: null }]),
  sample("activityShown", activityShown, { listing: activity, subject }),
  sample("listActivitiesBody", listActivitiesBody, { after: id, limit: 3 }),
  sample("activityBody", activityBody, { activityId: id }),
  sample("decideActivityBody", decideActivityBody, { verdict }),
  sample("visitInput", visitInput, { label: null, transcript: id, accountId: id, issuedAt: 3 }),
  sample("resumptionInput", resumptionInput, { label: null, transcript: id, issuedAt: 3 }),
  sample(
    "event",
    eventCodec,
    {
      ...{ version: 4, operation: "sign", step: 1, outcome: "done", accountId: id, reason: "" },
      ...{ culprits: [], pair: null, requestDigest: id, keyId: id, incidents: [], note: "" },
      signers: [1, 3],
      decision: {
        ...{ content: id, intent: id, what: "transfer", person: "owner", policyVersion: 2 },
        ...{ charter: id, rules: ["payments"] },
        approvals: [{ person: "ada", credential: id, verdict: "approve" }],
      },
    },
    {
      ...{ signers: [], decision: null },
      ...{ version: 3, operation: "incidents.report", step: 1, outcome: "done", accountId: id },
      ...{ reason: "wrong-opening", culprits: [3], pair: null, requestDigest: id, keyId: null },
      ...{ incidents: [{ number: 2, evidence: id }], note: "seen" },
    },
    {
      ...{ incidents: [], note: "", signers: [], decision: null },
      ...{ version: 2, operation: "presign", step: 3, outcome: "aborted", accountId: null },
      ...{ reason: "pairwise-fault", culprits: [], pair: [1, 2], requestDigest: id, keyId: id },
    },
    {
      ...{ incidents: [], note: "", signers: [], decision: null },
      ...{ version: 2, operation: "sign", step: 1, outcome: "done", accountId: id },
      ...{ reason: "", culprits: [], pair: null, requestDigest: id, keyId: null },
    },
    {
      ...{ incidents: [], note: "", signers: [], decision: null },
      ...{ version: 1, operation: "sign", step: 1, outcome: "aborted", accountId: null },
      ...{ reason: "bad-share", culprits: [2], pair: null, requestDigest: id, keyId: id },
    },
  ),
]

for (const one of SAMPLES) testCodec(one)

describe("bounds", () => {
  it("refuse a length prefix that promises more than the field may hold", () => {
    const huge = new Uint8Array([3, ...new Uint8Array(4).fill(255)])
    assert.throws(() => decode(callPayload, huge), DecodeError)
  })

  it("cover 32 codecs in this file", () => assert.equal(SAMPLES.length, 32))
})
