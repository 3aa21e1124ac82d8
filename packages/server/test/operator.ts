import {
  LockKeeperError,
  type OpenPayload,
  type Operation,
  type OperatorCredential,
  operatorIdOf,
  operatorOpeningInput,
  type Request,
  type SignedCredential,
  type SignedRequest,
  signCredential,
  signRequest,
} from "@lockkeeper/api"
import { type Identifier, Secret, type SigningKey, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { TestCluster, TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

/** An operator of one server who speaks to all of them without the SDK, so that a test can say anything. */
export class TestOperator {
  readonly server: Identifier
  readonly key: SigningKey
  readonly #cluster: TestCluster
  /** What a stranger can do. */
  readonly #stranger: TestOwner

  constructor(cluster: TestCluster, server: Identifier, name = `operator ${server}`) {
    this.server = server
    this.#cluster = cluster
    this.#stranger = new TestOwner(cluster, name)
    this.key = signingKeyFromSeed(new Secret(this.#stranger.randomness.bytes(32)))
  }

  get operatorId(): Bytes {
    return operatorIdOf(this.key.publicKey)
  }

  get home(): TestServer {
    return this.#cluster.servers.get(this.server) as TestServer
  }

  certified(): Promise<SignedCredential> {
    return this.home.server.certifyOperator(this.key.publicKey)
  }

  /** A credential as no honest server would sign it. */
  forged(changes: Partial<OperatorCredential>, signer: Identifier = this.server): SignedCredential {
    const { clock, roster, secrets } = this.#cluster
    const said = {
      ...{ server: this.server, rosterEpoch: roster.rosterEpoch },
      ...{ operatorKey: this.key.publicKey, issuedAt: clock.time },
      ...{ expiresAt: clock.time + 3_600_000, ...changes },
    }
    return signCredential(said, (secrets[signer - 1] as (typeof secrets)[number]).identity)
  }

  operate(credential: SignedCredential, key: SigningKey = this.key) {
    return (transcript: Bytes): Extract<OpenPayload, { kind: "operate" }> => {
      const issuedAt = this.#cluster.clock.time
      const signature = key.sign(
        encode(operatorOpeningInput, { label: null, transcript, issuedAt }),
      )
      return { kind: "operate", issuedAt, credential, signature }
    }
  }

  hello(to: TestServer, payload: (transcript: Bytes) => OpenPayload) {
    return this.#stranger.hello(to, payload)
  }

  tryOpen(to: TestServer, payload: OpenPayload | ((transcript: Bytes) => OpenPayload)) {
    return this.#stranger.open(to, payload)
  }

  async open(to: TestServer): Promise<TestSession> {
    const { session, answer } = await this.tryOpen(to, this.operate(await this.certified()))
    if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
    return session
  }

  request(operation: Operation, body: Bytes, changes: Partial<Request> = {}): Request {
    const accountId = this.operatorId
    return this.#stranger.request(operation, body, { accountId, ...changes })
  }

  sign(request: Request): SignedRequest {
    return signRequest(request, this.key)
  }
}
