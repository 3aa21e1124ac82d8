import assert from "node:assert/strict"
import {
  eventCodec,
  LockKeeperError,
  requestDigest,
  signBody,
  signEcdsaInput,
  signStepInput,
} from "@lockkeeper/api"
import { verifySignature } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { frost, type Message } from "@lockkeeper/protocols"
import { EMPTY_FRONTIER, EMPTY_HEAD, verifyLeaves } from "@lockkeeper/transparency"
import { askForShare, sharesOf } from "../presignature-uses.ts"
import { type Stolen, steal } from "../stolen.ts"
import { type Bench, type Client, VICTIM } from "./bench.ts"
import type { Exchange } from "./witness.ts"

/**
 * Every pair that can sign, by the server that it does without. The victim's own last, so that the
 * last package that it was asked to sign reached it.
 */
const LEFT_OUT: readonly (readonly [number, readonly number[]])[] = [
  [1, [2, 3]],
  [2, [1, 3]],
  [3, [1, 2]],
]

/** The log verifies, and what the victim has said that it logged is there, in its place. */
export function checkLog({ entries }: Pick<Stolen, "entries">, said: readonly Exchange[]): number {
  const last = entries.at(-1)
  const head = last ? { treeSize: last.index + 1, rootHash: last.head } : EMPTY_HEAD
  const roots = new Map(entries.map((entry) => [entry.index + 1, entry.head]))
  assert.deepEqual(verifyLeaves(EMPTY_FRONTIER, entries, head, roots), { valid: true })
  let checked = 0
  for (const { server, kind, log } of said) {
    if (server !== VICTIM || log === null) continue
    const found = entries[log.index]?.head
    assert.deepEqual(found, log.head, `acknowledged ${kind} at ${log.index} of ${entries.length}`)
    checked++
  }
  return checked
}

/** What the victim has after a clean start agrees with everything that it ever acknowledged. */
export async function examineStore(bench: Bench, answers: Map<string, Bytes>): Promise<number> {
  const stolen = await steal(bench.deployment.directory, VICTIM)
  for (const [id, output] of stolen.answers) answers.set(id, output)
  const held = new Set(stolen.keys.map(({ public: { keyId } }) => toHex(keyId)))
  for (const keyId of bench.acknowledgedKeys) assert.ok(held.has(keyId), `key ${keyId} was lost`)
  const reasons = stolen.entries.map(({ event }) => decode(eventCodec, event).reason)
  assert.ok(!reasons.includes("store-restored"), "nobody has put the store back")
  return checkLog(stolen, bench.witness.exchanges)
}

/** Guesses that were evaluated and not given back by a right password are still counted. */
export function checkGuesses(before: number, after: number, since: readonly Exchange[]): void {
  const own = since.filter(({ server }) => server === VICTIM)
  const evaluated = own.filter(({ kind, error }) => kind === "login" && error === null).length
  // One that was sent may have been given back, whatever came of the answer.
  const proven = own.filter(({ kind }) => kind === "login-finish").length
  assert.ok(after >= before + evaluated - proven, `${before} guesses taken, then ${after}`)
}

/**
 * Logs in, asks for a second share under commitments that may have been used, and signs with every
 * pair of servers. Returns how many second shares were refused.
 */
export async function checkService(bench: Bench): Promise<number> {
  const { transcript } = bench
  const old = transcript.packagesFor(VICTIM).at(-1)
  const client = await bench.login([])
  try {
    // The first request of a session says whose it is.
    await client.session.keys.list()
    let refused = old === undefined ? 0 : await replay(bench, old)
    refused += await replayEcdsa(bench)
    for (const [without, signers] of LEFT_OUT) await signWith(bench, client, without, signers)
    return refused
  } finally {
    client.cut.clear()
    await client.end()
  }
}

/**
 * Has every server forget the guesses that cases cost: a login whose answer is lost, or that comes
 * late, costs one. Each is told of them by a login that it has a part in.
 */
export async function forgiveGuesses(bench: Bench): Promise<void> {
  for (const [without] of LEFT_OUT.slice(0, 2)) {
    const client = await bench.login([without])
    client.cut.clear()
    await client.session.forgiveGuesses()
    await client.end()
  }
}

async function signWith(
  { keys }: Bench,
  { session, cut }: Client,
  without: number,
  signers: readonly number[],
): Promise<void> {
  const key = keys[0] as Bench["keys"][number]
  cut.clear()
  cut.add(without)
  const message = utf8(`signed without ${without}`)
  const signed = await session.sign({ keyId: key.keyId, message })
  cut.clear()
  assert.ok(verifySignature(key.publicKey, message, signed.signature))
  assert.deepEqual(signed.signers, signers)
}

/** Whoever is proven to be at fault here was framed: a failing disk is nobody's lie. */
export function checkBlame({ incidents }: Bench): void {
  const blamed = incidents.filter(({ kind }) => kind === "proven" || kind === "disputed")
  assert.deepEqual(blamed, [])
}

/** Asks for another share under the victim's commitment in a package that it was sent. */
async function replay({ transcript }: Bench, old: frost.SigningPackage): Promise<number> {
  const { principal } = transcript
  assert.ok(principal !== null)
  const { request, input } = anotherPackage(principal, old, old.commitments)
  await principal.act(VICTIM, request, 1, input, new AbortController().signal).then(
    () => assert.fail("a second share was given under one commitment"),
    (error: unknown) => {
      assert.ok(error instanceof LockKeeperError, String(error))
      assert.equal(error.code, "conflict")
    },
  )
  return 1
}

/** The same for the presignature of the last ECDSA signature that the victim was asked for. */
async function replayEcdsa({ transcript, keys, partners }: Bench): Promise<number> {
  const asked = transcript.steps.findLast(
    ({ server, operation }) => server === VICTIM && operation === "ecdsa.sign",
  )
  const { principal } = transcript
  const [, key] = keys
  if (asked === undefined || principal === null || key === undefined) return 0
  const presignature = { id: decode(signEcdsaInput, asked.input).presignature, signers: partners }
  // Asking again is an ECDSA signature that the victim was asked for, too.
  await assert.rejects(askForShare(principal, key.keyId, VICTIM, presignature), {
    code: "conflict",
    field: "input.presignature",
  })
  return 1
}

function anotherPackage(
  principal: NonNullable<Bench["transcript"]["principal"]>,
  old: frost.SigningPackage,
  commitments: readonly Message[],
) {
  const message = utf8("another message for the same nonces")
  const content = { kind: "message", message } as const
  const body = encode(signBody, { keyId: old.keyId, path: [], content, merkleRoot: null })
  const request = principal.request("sign", [1, 2, 3], body)
  const changed = { requestDigest: requestDigest(request), attempt: 1, message, commitments }
  const signingPackage = encode(frost.signingPackageCodec, { ...old, ...changed })
  return { request, input: encode(signStepInput, { signingPackage, prepare: 0 }) }
}

/** Over the whole run: each nonce of the victim's went into one share, and none waits that did. */
export async function checkNonces(bench: Bench, answers: Map<string, Bytes>): Promise<number> {
  const { transcript, keys } = bench
  const { nonceIds, presignatures } = await steal(bench.deployment.directory, VICTIM)
  const waiting = new Set(presignatures.map(({ presignatureId }) => toHex(presignatureId)))
  for (const id of nonceIds) waiting.add(id)
  const certificates = keys.map(({ keyId, certificate }) => {
    return [toHex(keyId), certificate.public] as const
  })
  const kept = [...answers.values()]
  const frost = transcript.sharesOf(VICTIM, kept, new Map(certificates))
  const ecdsa = sharesOf(transcript, VICTIM, [answers])
  for (const [nonce, made] of [...frost, ...ecdsa]) {
    assert.equal(made.size, 1, `nonce or presignature ${nonce} was used twice`)
    assert.ok(!waiting.has(nonce), "what was used is gone from the store")
  }
  assert.ok(frost.size > 0 && ecdsa.size > 0)
  return frost.size + ecdsa.size
}
