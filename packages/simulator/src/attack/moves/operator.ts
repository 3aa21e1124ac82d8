import {
  type CallAnswer,
  type Channel,
  callAnswer,
  callPayload,
  finishHello,
  LockKeeperError,
  memberOf,
  type OperatorOperation,
  openAnswer,
  openFrame,
  openPayload,
  operatorIdOf,
  operatorOpeningInput,
  type SignedCredential,
  sealFrame,
  signRequest,
  startHello,
} from "@lockkeeper/api"
import { type Identifier, Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { seeded } from "../seeded.ts"
import type { Running } from "./servers.ts"

/** One step of an operation that a server is asked for. */
export interface Call {
  readonly operation: OperatorOperation
  /** Whom the request is addressed to. */
  readonly servers: readonly Identifier[]
  readonly body: Bytes
  readonly step: number
  readonly input: Bytes
}

/** An operator of some server, who may ask for anything and brings whatever it likes. */
const KEY = signingKeyFromSeed(new Secret(seeded("moves/operator")))

let drawn = 0

function fresh(length: number): Bytes {
  return seeded(`moves/drawn ${drawn++}`, length)
}

/** What a server answers to one call, in a session of its own. @throws LockKeeperError that it refuses with */
export async function ask(at: Running, call: Call): Promise<Bytes> {
  const channel = await openSession(at)
  const { roster } = at.followed
  const issuedAt = at.server.now()
  const { operation, servers, body, step, input } = call
  const request = signRequest(
    {
      ...{ operation, body, servers: [...servers].sort((a, b) => a - b) },
      ...{ accountId: operatorIdOf(KEY.publicKey), requestId: fresh(16) },
      ...{ rosterEpoch: roster.rosterEpoch, issuedAt, expiresAt: issuedAt + 60_000 },
    },
    KEY,
  )
  const payload = encode(callPayload, { kind: "act", request, step, input })
  const sealed = sealFrame(channel, "to-server", 1, payload)
  const { sessionId } = channel
  const answered = await at.server.call({ sessionId, counter: 1, sealed })
  const opened = openFrame(channel, "to-client", 1, answered)
  if (opened === null) throw new Error("the server's answer does not open")
  return outputOf(decode(callAnswer, opened))
}

function outputOf(answer: CallAnswer): Bytes {
  if (answer.kind === "act") return answer.output
  if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
  throw new Error(`the server answered with ${answer.kind}`)
}

async function openSession(at: Running): Promise<Channel> {
  const { roster } = at.followed
  const { channelKey, identityKey } = memberOf(roster, at.identifier)
  const credential = await at.server.certifyOperator(KEY.publicKey)
  const target = { server: at.identifier, rosterEpoch: roster.rosterEpoch, channelKey }
  const issuedAt = at.server.now()
  const { state, hello } = startHello(target, fresh(96), ({ transcript }) =>
    encode(openPayload, { kind: "operate", issuedAt, credential, ...signed(transcript, issuedAt) }),
  )
  const finished = finishHello(state, identityKey, await at.server.open(hello))
  if (finished === null) throw new Error("the server did not prove its identity")
  const answer = decode(openAnswer, finished.payload)
  if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
  return finished.channel
}

function signed(transcript: Bytes, issuedAt: number): Pick<SignedCredential, "signature"> {
  return {
    signature: KEY.sign(encode(operatorOpeningInput, { label: null, transcript, issuedAt })),
  }
}
