import type { AccountRange } from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { compareBytes, toHex } from "@lockkeeper/encoding"
import { type Message, type Outcome, reshare } from "@lockkeeper/protocols"
import type { AccountRow } from "../src/account-row.ts"
import { putAccount, readAccount } from "../src/accounts.ts"
import type { Change, Versioned } from "../src/ports/store.ts"
import { accountWithSharing, sharingOfAccountRow } from "../src/resharing/accounts.ts"
import { moveUnknownNames } from "../src/unknown-names.ts"
import type { TestCluster, TestServer } from "./memory-cluster.ts"
import type { TestOwner } from "./owner.ts"

type State = reshare.ReshareOpened | reshare.ReshareDealt | reshare.ReshareJudged

/** One server in a run, without the operation that serves it: the protocol's own states, in memory. */
class Member {
  readonly server: TestServer
  readonly #params: reshare.ReshareParams
  readonly #keys: readonly reshare.ReshareKey[]
  readonly #held: readonly reshare.Resharable[]
  readonly #self: reshare.ReshareIdentity
  #state: State | null = null

  constructor(
    server: TestServer,
    { params, keys }: reshare.ReshareAttempt,
    rows: readonly AccountRow[],
    self: reshare.ReshareIdentity,
  ) {
    this.server = server
    this.#params = params
    this.#keys = keys
    this.#self = self
    this.#held = rows.map((row) => {
      const sharing = sharingOfAccountRow(row)!
      return { sharing, highestKeyEpoch: sharing.keyEpoch, share: row.active!.share }
    })
  }

  #keep(outcome: Outcome<{ state: State; message: Message }>): Outcome<Message> {
    if (!outcome.ok) return outcome
    this.#state = outcome.value.state
    return { ok: true, value: outcome.value.message }
  }

  step(step: reshare.ReshareStep, { messages, opens }: reshare.Delivery): Outcome<Message> {
    const { randomness } = this.server.deps
    const { identifier } = this.server
    const known = this.#held
    if (step === "open") {
      const request = { params: this.#params, keys: this.#keys, known }
      const bytes = randomness.bytes(reshare.OPEN_RANDOMNESS_LENGTH)
      return this.#keep(reshare.reshareOpen(request, identifier, this.#self, bytes))
    }
    if (step === "deal") {
      const state = this.#state as reshare.ReshareOpened
      const bytes = randomness.bytes(reshare.dealRandomnessLength(state))
      return this.#keep(reshare.reshareDeal(state, messages, known, this.#self, bytes))
    }
    if (step !== "verdict") throw new Error("a run of honest servers has no complaints")
    const state = this.#state as reshare.ReshareOpened
    const input = { opens, deals: messages, known }
    return this.#keep(reshare.reshareVerdict(state, input, this.#self))
  }

  activate(certificate: reshare.BatchCertificate): readonly reshare.ResharedShare[] {
    const { verifyKeys } = this.#self
    const state = this.#state as reshare.ReshareJudged
    const active = reshare.reshareActivate(state, certificate, verifyKeys)
    if (!active.ok) throw new Error(active.abort.reason)
    return active.value
  }
}

/** A batch whose next generation a quorum has confirmed, in force at no server yet. */
export interface ConfirmedBatch {
  readonly certificate: reshare.BatchCertificate
  /** What a server commits to have it in force, unless its row has become another one. */
  activation(server: TestServer): Promise<readonly Change[]>
}

/** Refreshes the accounts of these owners up to the point where servers activate. */
export async function confirmRefresh(
  { servers, roster }: TestCluster,
  owners: readonly TestOwner[],
): Promise<ConfirmedBatch> {
  const ids = owners.map(({ accountId }) => accountId).sort(compareBytes)
  const rowsAt = ({ store }: TestServer) =>
    Promise.all(ids.map(async (id) => (await readAccount(store, id)) as Versioned<AccountRow>))
  const held = new Map<Identifier, readonly Versioned<AccountRow>[]>()
  for (const [i, server] of servers) held.set(i, await rowsAt(server))
  const keys = held.get(1)!.map(({ value }) => {
    const sharing = sharingOfAccountRow(value)!
    return { sharing, toKeyEpoch: sharing.keyEpoch + 1 }
  })
  const { rosterEpoch, minSigners, members } = roster
  const holders = members.map(({ identifier }) => identifier)
  const params: reshare.ReshareParams = {
    ...{ kind: "refresh", dealers: holders.slice(0, minSigners), holders, minSigners },
    ...{ rosterEpoch, attempt: 1, groups: keys.map(({ sharing }) => sharing.group) },
    keys: reshare.keysRoot(keys),
  }
  const verifyKeys = new Map(members.map((m) => [m.identifier, m.identityKey]))
  const attempt = { params, keys, leaveOut: [] }
  const taking = new Map(
    [...servers].map(([i, server]) => {
      const rows = held.get(i)!.map(({ value }) => value)
      return [i, new Member(server, attempt, rows, { signer: server.self.identity, verifyKeys })]
    }),
  )
  let task = reshare.reshareCoordinate(params, keys, verifyKeys, [])
  while (task.kind === "ask") {
    const { step } = task
    const responses = [...task.deliveries].map(([from, delivery]) => {
      const answer = taking.get(from)!.step(step, delivery)
      if (!answer.ok) throw new Error(`${step} at ${from}: ${answer.abort.reason}`)
      return { from, message: answer.value }
    })
    task = reshare.reshareAdvance(task.waiting, responses)
  }
  if (task.kind !== "confirmed") throw new Error(task.abort.reason)
  const { certificate } = task
  const activation = async (server: TestServer): Promise<readonly Change[]> => {
    const shares = taking.get(server.identifier)!.activate(certificate)
    const rows = await rowsAt(server)
    return rows.flatMap(({ value, version }, index) => {
      const after = accountWithSharing(value, shares[index]!)
      return after.ok ? [putAccount(after.value, version)] : []
    })
  }
  return { certificate, activation }
}

/** A whole refresh, in force at every server. */
export async function refreshAccounts(
  cluster: TestCluster,
  owners: readonly TestOwner[],
  range: AccountRange | null = null,
): Promise<void> {
  const batch = await confirmRefresh(cluster, owners)
  for (const server of cluster.servers.values()) await putInForce(server, batch, owners, range)
}

/** At one server, with the unknown names of the range in the same commit. */
export async function putInForce(
  server: TestServer,
  batch: ConfirmedBatch,
  owners: readonly TestOwner[],
  range: AccountRange | null,
): Promise<void> {
  const ids = owners.map(({ accountId }) => accountId)
  const unknown = range === null ? [] : await moveUnknownNames(server.deps, range, ids)
  const changes = [...(await batch.activation(server)), ...unknown]
  if (changes.length > 0) await server.store.commit(changes)
}

/** The share that a server holds of an account now, in hexadecimal. */
export async function shareAt({ store }: TestServer, { accountId }: TestOwner): Promise<string> {
  const share: Secret = (await readAccount(store, accountId))!.value.active!.share
  return toHex(share.expose())
}
