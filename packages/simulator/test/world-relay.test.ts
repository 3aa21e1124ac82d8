import assert from "node:assert/strict"
import { test } from "node:test"
import { ERROR_CODES } from "@lockkeeper/api"
import { LockKeeperError, type Session } from "@lockkeeper/client"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import {
  type Asked,
  type Delivery,
  forgedRefusal,
  honestRelay,
  type Relay,
  SeededRandomness,
  type WireAnswer,
  type WireRequest,
  World,
} from "../src/index.ts"

const OWNER = { name: "alice", password: "correct horse battery staple" }

interface Ready {
  readonly world: World
  readonly session: Session
  readonly keyId: Bytes
  sign(message: string): Promise<string>
}

async function ready(seed: string, body: (ready: Ready) => Promise<void>): Promise<World> {
  const world = await World.create({ seed })
  await world.clock.run(async () => {
    const keeper = await world.connect("laptop")
    await keeper.register(OWNER)
    const session = await keeper.login(OWNER)
    const { keyId } = (await session.keys.create({ type: "ed25519" })).key
    const sign = (text: string) => codeOf(session.sign({ keyId, message: utf8(text) }))
    await body({ world, session, keyId, sign })
  })
  assert.deepEqual(world.observations.bugs, [])
  assert.deepEqual(
    world.observations.incidents.filter(({ incident }) => incident.kind === "proven"),
    [],
    "no server is proven to be at fault for what a relay did",
  )
  return world
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

/** Nothing used twice, nothing done for anyone else. */
function usedOnce({ observations }: World): void {
  const { uses } = observations
  const places = new Set(uses.map(({ server, id }) => `${server}/${id}`))
  assert.equal(places.size, uses.length)
}

const flipped = (content: Bytes, place: number): Bytes =>
  content.map((byte, i) => (i === place % content.length ? byte ^ 1 : byte)) as Bytes

const altered = (request: WireRequest, place: number): WireRequest =>
  "content" in request ? { ...request, content: flipped(request.content, place) } : request

/** Towards one server; the others are left alone. */
const only = (server: number, relay: Partial<Relay>): Relay => ({
  onRequest: (asked) => {
    const chosen = asked.server === server ? relay.onRequest : undefined
    return (chosen ?? honestRelay.onRequest)(asked)
  },
  onAnswer: (asked, delivery, answer) => {
    const chosen = asked.server === server ? relay.onAnswer : undefined
    return (chosen ?? honestRelay.onAnswer)(asked, delivery, answer)
  },
})

const LIES: Readonly<Record<string, (dice: SeededRandomness, seen: Asked[]) => Partial<Relay>>> = {
  "alters requests": (dice) => ({
    onRequest: ({ server, request }) => [{ server, request: altered(request, dice.below(4096)) }],
  }),
  "alters answers": (dice) => ({
    onAnswer: (_asked, _delivery, answer) =>
      answer.kind === "answer"
        ? { kind: "answer", content: flipped(answer.content, dice.below(4096)) }
        : answer,
  }),
  "misdirects requests": () => ({
    onRequest: ({ server, request }) => [{ server: (server % 3) + 1, request }],
  }),
  "answers with what others were asked": (_dice, seen) => ({
    onRequest: (asked) => {
      seen.push(asked)
      const [first] = seen.filter(({ request }) => request.kind === asked.request.kind)
      return [{ server: asked.server, request: first?.request ?? asked.request }]
    },
  }),
  "cuts answers short": () => ({
    onAnswer: (_asked, _delivery, answer) =>
      answer.kind === "answer" ? { kind: "answer", content: answer.content.slice(0, -1) } : answer,
  }),
  "sends requests on and keeps the answers": () => ({ onAnswer: () => null }),
  "keeps requests": () => ({ onRequest: () => [] }),
  "breaks connections": () => ({ onAnswer: (): WireAnswer => ({ kind: "broken" }) }),
}

for (const [what, lie] of Object.entries(LIES)) {
  test(`a relay before one server that ${what} costs that server's help and nothing else`, async () => {
    const world = await ready(`relay ${what}`, async ({ world, sign }) => {
      const relay = lie(new SeededRandomness(what, "relay"), [])
      world.network.relay = only(2, relay)
      for (let i = 0; i < 3; i++) assert.equal(await sign(`${i}`), "done")
      const keeper = await world.connect("phone")
      await (await keeper.login(OWNER)).logout()
      world.network.relay = { ...honestRelay, ...relay }
      assert.notEqual(await sign("all of them"), "done")
      world.heal()
      await world.clock.wait(60_000)
      const session = await keeper.login(OWNER)
      await session.logout()
    })
    usedOnce(world)
  })
}

test("a relay that reads everything learns no name, password, message, key or signature", async () => {
  const seen: Uint8Array[] = []
  const world = await World.create({ seed: "reading" })
  world.network.relay = {
    onRequest: (asked) => {
      if ("content" in asked.request) seen.push(asked.request.content)
      return honestRelay.onRequest(asked)
    },
    onAnswer: (asked, delivery, answer) => {
      if (answer.kind === "answer" && asked.request.kind !== "roster") seen.push(answer.content)
      return honestRelay.onAnswer(asked, delivery, answer)
    },
  }
  const message = utf8("pay one to bob at noon")
  const secrets: [string, Uint8Array][] = [
    ["name", utf8("alice-of-the-house")],
    ["password", utf8(OWNER.password)],
    ["message", message],
  ]
  await world.clock.run(async () => {
    const keeper = await world.connect("laptop")
    const owner = { name: "alice-of-the-house", password: OWNER.password }
    await keeper.register(owner)
    const session = await keeper.login(owner)
    const { key } = await session.keys.create({ type: "ed25519", label: "savings account" })
    const { signature } = await session.sign({ keyId: key.keyId, message })
    secrets.push(["label", utf8("savings account")], ["key id", key.keyId])
    secrets.push(["public key", key.publicKey], ["signature", signature])
    await session.logout()
  })
  const all = Buffer.concat(seen)
  assert.ok(seen.length > 30 && all.length > 50_000)
  for (const [what, secret] of secrets) {
    for (let part = 0; part + 12 <= secret.length; part++) {
      assert.equal(all.indexOf(secret.subarray(part, part + 12)), -1, what)
    }
  }
})

test("a relay that sends everything three times has it acted on once", async () => {
  const world = await ready("three times", async ({ world, sign }) => {
    world.network.relay = {
      onRequest: ({ server, request }) =>
        [0, 50, 100].map((laterMs): Delivery => ({ server, request, laterMs })),
      onAnswer: (_asked, { laterMs }, answer) => (laterMs === 0 ? answer : null),
    }
    for (let i = 0; i < 4; i++) assert.equal(await sign(`${i}`), "done")
    await world.clock.wait(1_000)
  })
  usedOnce(world)
  assert.equal(world.observations.uses.length, 8)
})

/** What a server itself says outside a session, and so a relay in its name. */
const SAID_OUTSIDE = new Set([
  "invalid-request",
  "too-large",
  "unauthenticated",
  "session-ended",
  "replayed",
  "wrong-server",
  "wrong-roster",
  "rate-limited",
  "not-enough-servers",
  "internal",
])

test("no refusal that a relay makes up for one server keeps the others from their work", async () => {
  await ready("one refuses", async ({ world, sign }) => {
    for (const code of ERROR_CODES) {
      world.network.relay = only(2, { onAnswer: ({ server }) => forgedRefusal(server, code) })
      assert.equal(await sign(code), "done", code)
      const keeper = await world.connect("phone")
      await (await keeper.login(OWNER)).logout()
      assert.equal((await keeper.health()).filter(({ ready }) => ready).length, 2)
    }
  })
})

test("a relay before all servers makes a client believe nothing that only a session may say", async () => {
  await ready("all refuse", async ({ world, session, sign }) => {
    for (const code of ERROR_CODES) {
      world.network.relay = {
        ...honestRelay,
        onAnswer: ({ server }) => forgedRefusal(server, code),
      }
      const keeper = await world.connect("phone")
      const results = [
        await sign(code),
        await codeOf(keeper.login(OWNER)),
        await codeOf(session.keys.create({ type: "bip340" })),
        await codeOf(keeper.register({ name: "bob", password: OWNER.password })),
      ]
      for (const result of results) assert.ok(SAID_OUTSIDE.has(result), `${code}: ${result}`)
    }
    world.heal()
    assert.equal(await sign("after all"), "done")
  })
})
