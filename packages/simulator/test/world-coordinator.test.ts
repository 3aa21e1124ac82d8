import assert from "node:assert/strict"
import { test } from "node:test"
import type { CallAnswer, CallPayload } from "@lockkeeper/api"
import { LockKeeperError, type Session } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { type Coordinator, SeededRandomness, World } from "../src/index.ts"

const OWNER = { name: "alice", password: "correct horse battery staple" }

const honest: Coordinator = {
  onCall: (_server, payload) => payload,
  onAnswer: (_server, _payload, answer) => answer,
}

/** Inputs and outputs of steps: what a coordinator relays between the servers. */
function changingInputs(change: (input: Bytes, payload: CallPayload) => Bytes): Coordinator {
  return {
    ...honest,
    onCall: (_server, payload) =>
      payload.kind === "act" ? { ...payload, input: change(payload.input, payload) } : payload,
  }
}

function changingOutputs(change: (output: Bytes) => Bytes): Coordinator {
  return {
    ...honest,
    onAnswer: (_server, _payload, answer): CallAnswer =>
      answer.kind === "act" ? { ...answer, output: change(answer.output) } : answer,
  }
}

const flipped = (content: Bytes, dice: SeededRandomness): Bytes => {
  const place = dice.below(Math.max(1, content.length))
  return content.map((byte, i) => (i === place ? byte ^ 1 : byte)) as Bytes
}

/** Swaps what is said of one step between servers, or says what was said before. */
function mixing(dice: SeededRandomness): Coordinator {
  const seen: Extract<CallPayload, { kind: "act" }>[] = []
  return {
    ...honest,
    onCall: (_server, payload) => {
      if (payload.kind !== "act") return payload
      seen.push({ ...payload, input: payload.input.slice() })
      const other = seen[dice.below(seen.length)]
      return dice.chance(0.3) && other !== undefined ? other : payload
    },
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error) => {
      assert.ok(error instanceof LockKeeperError, String(error))
      return error.code
    },
  )
}

/** An honest client of the same account afterwards: everything that worked still does. */
async function stillWorks(world: World, keyId: Bytes, publicKey: Bytes): Promise<void> {
  const session = await (await world.connect("another device")).login(OWNER)
  const message = utf8("honestly")
  const { signature } = await session.sign({ keyId, message })
  assert.ok(verifySignature(publicKey, message, signature))
  await session.logout()
}

/** Nothing used twice, nothing that a server had not thought of, and nobody accused with proof. */
function nobodyNamed({ observations: { uses, bugs, incidents, events } }: World): void {
  assert.deepEqual(bugs, [])
  assert.equal(new Set(uses.map(({ server, id }) => `${server}/${id}`)).size, uses.length)
  const named = incidents.filter(({ incident: { kind } }) => ["proven", "disputed"].includes(kind))
  assert.deepEqual(named, [])
  assert.deepEqual(
    events.filter(({ name }) => name === "operation-failed"),
    [],
  )
}

const LIARS: Readonly<Record<string, (dice: SeededRandomness) => Coordinator>> = {
  "flips a bit of inputs": (dice) =>
    changingInputs((input) => (dice.chance(0.5) ? flipped(input, dice) : input)),
  "flips a bit of outputs": (dice) =>
    changingOutputs((output) => (dice.chance(0.5) ? flipped(output, dice) : output)),
  "cuts inputs short": (dice) =>
    changingInputs((input) => (dice.chance(0.5) ? input.slice(0, -1) : input)),
  "sends one server what is another's, or was before": mixing,
  "leaves servers out": (dice) => ({
    ...honest,
    onCall: (_server, payload) => (dice.chance(0.7) ? null : payload),
  }),
}

async function lied(session: Session, type: "ed25519" | "bip340", keyId: Bytes): Promise<string[]> {
  const outcomes: string[] = []
  for (let i = 0; i < 3; i++) {
    outcomes.push(await codeOf(session.sign({ keyId, message: utf8(`lie ${i}`) })))
  }
  outcomes.push(await codeOf(session.keys.create({ type })))
  return outcomes
}

for (const [what, liar] of Object.entries(LIARS)) {
  test(`a coordinator that ${what} gets no wrong result, and nobody named`, async () => {
    const world = await World.create({ seed: `coordinator ${what}` })
    const coordinator = liar(new SeededRandomness(what, "liar"))
    await world.clock.run(async () => {
      const keeper = await world.connect("laptop")
      await keeper.register(OWNER)
      const session = await keeper.login(OWNER)
      const { keyId, publicKey } = (await session.keys.create({ type: "ed25519" })).key
      const liarKeeper = await world.connect("liar", {}, coordinator)
      const lying = await liarKeeper.login(OWNER)
      const outcomes = [
        ...(await lied(lying, "ed25519", keyId)),
        ...(await lied(lying, "bip340", keyId)),
      ]
      assert.ok(
        outcomes.some((outcome) => outcome !== "done"),
        "the lies had an effect",
      )
      await stillWorks(world, keyId, publicKey)
      const { key } = await session.keys.create({ type: "ed25519" })
      await stillWorks(world, key.keyId, key.publicKey)
    })
    nobodyNamed(world)
  })
}

test("a coordinator that lies about presigning burns what it lied about and sets no two servers at odds", async () => {
  const world = await World.create({ seed: "lying about presigning" })
  await world.clock.run(async () => {
    const keeper = await world.connect("laptop")
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { keyId } = (await session.keys.create({ type: "ecdsa-secp256k1" })).key
    const sign = (by: Session, n: number) => {
      const content = { kind: "message", message: new Uint8Array(32).fill(n) } as const
      return codeOf(by.signDigestOf({ keyId, content }))
    }
    const dice = new SeededRandomness("presigning", "liar")
    const inputs = changingInputs((input) => (dice.chance(0.3) ? flipped(input, dice) : input))
    for (const coordinator of [inputs, mixing(dice)]) {
      const lying = await (await world.connect("liar", {}, coordinator)).login(OWNER)
      const outcomes = [await sign(lying, 1), await sign(lying, 2)]
      assert.ok(outcomes.some((outcome) => outcome !== "done"))
    }
    assert.equal(await sign(session, 3), "done")
  })
  nobodyNamed(world)
})

test("a coordinator inside the sessions that changes nothing is not noticed", async () => {
  const world = await World.create({ seed: "inside" })
  const calls: string[] = []
  const watching: Coordinator = {
    onCall: (server, payload) => {
      calls.push(`${server} ${payload.kind}`)
      return payload
    },
    onAnswer: (_server, _payload, answer) => answer,
  }
  await world.clock.run(async () => {
    const keeper = await world.connect("laptop", {}, watching)
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { key, incidents } = await session.keys.create({ type: "bip340" })
    const { signature } = await session.sign({ keyId: key.keyId, message: new Uint8Array(32) })
    assert.equal(signature.length, 64)
    assert.deepEqual(incidents, [])
    await session.logout()
  })
  assert.ok(calls.filter((call) => call.endsWith(" act")).length >= 12)
  assert.ok(calls.includes("3 register-deal"))
})
