import assert from "node:assert/strict"
import { test } from "node:test"
import {
  commitmentList,
  MAX_PREPARED,
  prepareBody,
  requestDigest,
  signBody,
  signStepInput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { frost, messageCodec } from "@lockkeeper/protocols"
import { createKey } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)
const MESSAGE = utf8("message")

/** An owner with a key and one commitment of servers 1, 2 and 3. */
async function prepared() {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  const certificate = await createKey(owner, sessions, "ed25519")
  const { keyId, rosterEpoch } = certificate.public
  const prepare = owner.sign(
    owner.request("sign.prepare", encode(prepareBody, { keyId, keyEpoch: 1, count: 1 })),
  )
  const verifyKeys = new Map(owner.cluster.roster.members.map((m) => [m.identifier, m.identityKey]))
  const commitments = []
  for (const session of sessions) {
    const answer = await session.call({ kind: "act", request: prepare, step: 1, input: EMPTY })
    const [one] = decode(commitmentList, expectKind(answer, "act").output)
    const context = { public: certificate.public, verifyKeys, rosterEpoch }
    const opened = frost.openCommitment(decode(messageCodec, one as Bytes), context)
    assert.ok(opened.ok)
    commitments.push(opened.value)
  }
  return { owner, session: sessions[0] as TestSession, certificate, commitments }
}

type Prepared = Awaited<ReturnType<typeof prepared>>

/** Server 1's answer to a request for a signature: its error and the field at fault, or none. */
async function sign(given: Prepared, changes: Partial<Asked>): Promise<string | null> {
  const { owner, session, certificate, commitments } = given
  const { attempt, signers, merkleRoot, prepare } = { ...sound, ...changes }
  const { keyId, rosterEpoch } = certificate.public
  const body = encode(signBody, {
    keyId,
    path: [],
    content: { kind: "message", message: MESSAGE },
    merkleRoot,
  })
  const request = owner.sign(owner.request("sign", body))
  const digest = requestDigest(request)
  const asked = { rosterEpoch, requestDigest: digest, attempt, message: MESSAGE }
  const chosen = commitments.filter((_, i) => signers.includes(i + 1))
  const made = frost.preparePackage({ ...asked, tweak: frost.NO_TWEAK }, certificate.public, chosen)
  assert.ok(made.ok)
  const signingPackage = encode(frost.signingPackageCodec, made.value.package)
  const input = encode(signStepInput, { signingPackage, prepare })
  const answer = await session.call({ kind: "act", request, step: 1, input })
  return answer.kind === "refused" ? `${answer.error.code} ${answer.error.field}` : null
}

interface Asked {
  readonly attempt: number
  readonly signers: readonly number[]
  readonly merkleRoot: Bytes | null
  readonly prepare: number
}

const sound: Asked = { attempt: 1, signers: [1, 2], merkleRoot: null, prepare: 0 }

test("a request for a signature that is refused for its form spends no commitment", async () => {
  const given = await prepared()
  const cases = [
    [{ attempt: 2 }, "package.attempt"],
    [{ signers: [2, 3] }, "package.commitments"],
    [{ prepare: MAX_PREPARED + 1 }, "input.prepare"],
    [{ merkleRoot: new Uint8Array(31) }, "body.merkleRoot"],
  ] as const
  for (const [changes, field] of cases) {
    assert.equal(await sign(given, changes), `invalid-request ${field}`)
  }
  assert.equal(await sign(given, sound), null)
  assert.equal(await sign(given, sound), "conflict package.commitments")
})
