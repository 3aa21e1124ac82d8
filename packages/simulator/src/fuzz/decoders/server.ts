import {
  callPayload,
  decodeRequest,
  LockKeeperError,
  OPERATIONS,
  openPayload,
  signedRequestCodec,
  startHello,
} from "@lockkeeper/api"
import {
  type Bytes,
  bytes,
  DecodeError,
  decode,
  encode,
  layoutOf,
  oneOf,
  struct,
  u16,
} from "@lockkeeper/encoding"
import type { World } from "../../index.ts"
import { ACCEPTED, type Decoder, type Reading } from "../decoder.ts"
import type { Dice } from "../dice.ts"
import type { Inside } from "../inside.ts"
import { changed } from "../mutate.ts"
import { ofBytes } from "./made-of.ts"
import { type Principal, principalOf } from "./principal.ts"

const MAX_PART = 2 ** 24

/** One step of a request that is signed and sealed as it should be, whatever is in it. */
const action = struct({
  operation: oneOf(...OPERATIONS),
  step: u16,
  body: bytes(MAX_PART),
  input: bytes(MAX_PART),
})

/** How long virtual time an account's session lasts at most before it is opened again. */
const FRAMES_PER_SESSION = 2000

/** A running server, from outside and from inside an honest session. */
export async function serverDecoders(
  inside: Inside,
  world: World,
  codecs: readonly Decoder[],
): Promise<readonly Decoder[]> {
  const samplesOf = (name: string) =>
    codecs.find((decoder) => decoder.name.endsWith(name))?.samples ?? []
  const hellos = samplesOf("handshake.ts:helloCodec")
  return [
    openDecoder(world, samplesOf("session.ts:openPayload")),
    ofBytes({
      name: "server: frame to a session",
      samples: samplesOf("frames.ts:frameContext"),
      weight: 0.3,
      async read(input) {
        const frame = { sessionId: input.slice(0, 16), counter: input.length, sealed: input }
        return await refusedBy(world, () => endpointOf(world).call("fuzz", frame))
      },
    }),
    ofBytes({
      name: "server: hello",
      samples: hellos,
      weight: 0.1,
      read: (input) => refusedBy(world, () => endpointOf(world).open("fuzz", input)),
    }),
    await actDecoder(inside, world, codecs),
  ]
}

/** Guesses are used up at the third server; the account logs in at the others. */
function endpointOf(world: World) {
  const process = world.machine(3).running
  if (process === null) throw new Error("server 3 does not run")
  return process.endpoint
}

/** A moment later, so that no rate is exceeded. */
function ask<T>(world: World, act: () => Promise<T>): Promise<T> {
  return world.clock.run(async () => {
    await world.clock.wait(50)
    return await act()
  })
}

/** Being refused is all that a stranger gets here: it shows that the server lives. */
async function refusedBy(world: World, act: () => Promise<unknown>): Promise<Reading> {
  try {
    await ask(world, act)
  } catch (error) {
    if (!(error instanceof LockKeeperError) || error.code === "internal") throw error
  }
  return ACCEPTED
}

/** First payloads, each in a hello of its own that opens. */
function openDecoder(world: World, payloads: readonly Bytes[]): Decoder {
  const { rosterEpoch, members } = world.roster
  const channelKey = members[2]?.channelKey as Bytes
  let opened = 0
  return {
    name: "server: first payload in a hello",
    samples: payloads,
    weight: 0.5,
    change: null,
    layout: (sample) => layoutOf(openPayload, sample),
    read(input) {
      const randomness = new Uint8Array(96)
      new DataView(randomness.buffer).setUint32(0, opened++)
      const payload = input.slice(0, 12_000)
      const target = { server: 3, rosterEpoch, channelKey }
      const { hello } = startHello(target, randomness, () => payload)
      return refusedBy(world, () => endpointOf(world).open("fuzz", hello))
    },
  }
}

/** The steps that were seen, as actions; of requests that were seen alone, the first one. */
function seenActions(codecs: readonly Decoder[]): readonly Bytes[] {
  const samplesOf = (name: string) =>
    codecs.find((decoder) => decoder.name.endsWith(name))?.samples ?? []
  const acts = samplesOf("session.ts:callPayload").flatMap((payload) => {
    const call = decode(callPayload, payload)
    return call.kind === "act" ? [call] : []
  })
  const alone = samplesOf("request.ts:signedRequestFields").map((encoded) => ({
    request: decode(signedRequestCodec, encoded),
    ...{ step: 1, input: new Uint8Array(0) },
  }))
  return [...acts, ...alone].flatMap(({ request, step, input }) => {
    try {
      const { operation, body } = decodeRequest(request)
      return [encode(action, { operation, step, body, input })]
    } catch (error) {
      // Invented payloads hold no requests.
      if (!(error instanceof DecodeError)) throw error
      return []
    }
  })
}

/** The account is as usable as ever, whatever was sent to the servers before. */
async function loggedIn(inside: Inside, world: World): Promise<Principal> {
  try {
    return await world.clock.run(() => principalOf(inside, world))
  } catch (cause) {
    throw new Error("the account can no longer log in", { cause })
  }
}

async function actDecoder(
  inside: Inside,
  world: World,
  codecs: readonly Decoder[],
): Promise<Decoder> {
  let principal = await loggedIn(inside, world)
  let frames = 0
  const { signal } = new AbortController()
  const bodies = codecs.filter(({ name }) => name.startsWith("packages/api/src/"))
  /** The codec whose encoding it is, by what that codec was seen to write. */
  const codecOf = (part: Bytes) =>
    bodies.find(({ samples }) =>
      samples.some((s) => s.length === part.length && s.every((b, i) => b === part[i])),
    )
  const changePart = (part: Bytes, dice: Dice): Bytes => {
    const codec = codecOf(part)
    return codec === undefined ? dice.bytes(dice.below(64)) : changed(codec, part, dice)
  }
  return {
    name: "server: signed request in a session",
    samples: seenActions(codecs),
    weight: 2,
    layout: (sample) => layoutOf(action, sample),
    change(sample, dice) {
      const own = decode(action, sample)
      const part = own.input.length > 0 && dice.once(2) ? "input" : "body"
      return encode(action, { ...own, [part]: changePart(own[part], dice).slice(0, 100_000) })
    },
    async read(input) {
      const { operation, step, body, input: given } = decode(action, input)
      if (frames++ % FRAMES_PER_SESSION === FRAMES_PER_SESSION - 1) {
        principal = await loggedIn(inside, world)
      }
      return await ask(world, async () => {
        const request = principal.request(operation, world.servers, body)
        await principal.act(1, request, step, given, signal)
        return ACCEPTED
      })
    },
  }
}
