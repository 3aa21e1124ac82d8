import {
  type ActivityListing,
  type ActivityShown,
  type Approval,
  activityBody,
  activityIdOf,
  activityListing,
  activityShown,
  decideActivityBody,
  LockKeeperError,
  type Operation,
  openActivityBody,
  type SignedApproval,
  type SignedRequest,
  type Subject,
  signApproval,
  signRequest,
  type Verdict,
} from "@lockkeeper/api"
import { Secret, type SigningKey, sha256, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import type { Person } from "@lockkeeper/policy"
import type { TestServer } from "./memory-cluster.ts"
import { expectKind, type TestOwner, TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

/** The key of a person; `second` for another of theirs. */
export function keyOf(person: string, which = "first"): SigningKey {
  return signingKeyFromSeed(new Secret(sha256(utf8(`${person}, ${which}`))))
}

const sorted = (keys: readonly SigningKey[]): readonly Bytes[] =>
  keys.map(({ publicKey }) => publicKey).sort((a, b) => Buffer.compare(a, b))

/** Two treasurers, one with two keys, one of compliance, and an auditor. */
export const PEOPLE: readonly Person[] = [
  {
    ...{ id: "ada", kind: "approver", roles: ["treasurer"] },
    credentials: sorted([keyOf("ada"), keyOf("ada", "second")]),
  },
  { id: "bob", kind: "approver", roles: ["treasurer"], credentials: [keyOf("bob").publicKey] },
  { id: "cho", kind: "approver", roles: ["compliance"], credentials: [keyOf("cho").publicKey] },
  { id: "dee", kind: "auditor", roles: ["treasurer"], credentials: [keyOf("dee").publicKey] },
]

/** What somebody is refused with, as code and field; null where they are not. */
export async function refusalOf(asking: Promise<unknown>): Promise<string | null> {
  try {
    await asking
    return null
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    return `${error.code} ${error.field}`
  }
}

/** One request of the owner at each of these sessions. @throws as the first that refuses. */
export async function ask(
  owner: TestOwner,
  sessions: readonly TestSession[],
  operation: Operation,
  body: Bytes,
): Promise<readonly Bytes[]> {
  const request = owner.sign(owner.request(operation, body))
  const outputs: Bytes[] = []
  for (const session of sessions) outputs.push(await actIn(session, request))
  return outputs
}

export async function actIn(session: TestSession, request: SignedRequest): Promise<Bytes> {
  const payload = { kind: "act", request, step: 1, input: EMPTY } as const
  return expectKind(await session.call(payload), "act").output
}

/** Puts a subject before the account's people, at each of these sessions' servers. */
export async function openRequest(
  owner: TestOwner,
  sessions: readonly TestSession[],
  subject: Subject,
  { expiresAt = owner.cluster.clock.time + 3_600_000, clientKey = owner.randomness.bytes(16) } = {},
): Promise<ActivityListing> {
  const body = encode(openActivityBody, { clientKey, subject, expiresAt })
  const [first] = await ask(owner, sessions, "requests.open", body)
  const listing = decode(activityListing, first as Bytes)
  if (!Buffer.from(listing.activityId).equals(activityIdOf(owner.accountId, clientKey))) {
    throw new Error("another activity was opened")
  }
  return listing
}

/** What a person would sign who has looked at an activity. */
export function approvalOf(
  owner: TestOwner,
  listing: ActivityListing,
  person: string,
  { verdict = "approve" as Verdict, which = "first" } = {},
): Approval {
  const { activityId, subject, intent, charter, policyVersion, expiresAt } = listing
  return {
    ...{ accountId: owner.accountId, activityId, subject, intent, charter, policyVersion },
    ...{ expiresAt, verdict, person, credential: keyOf(person, which).publicKey },
  }
}

/** A person in a session of their own at one server. */
export class TestPerson {
  readonly owner: TestOwner
  readonly session: TestSession
  readonly key: SigningKey

  constructor(owner: TestOwner, session: TestSession, key: SigningKey) {
    this.owner = owner
    this.session = session
    this.key = key
  }

  static async visit(
    owner: TestOwner,
    to: TestServer,
    person: string,
    which = "first",
  ): Promise<TestPerson> {
    const key = keyOf(person, which)
    const { session, answer } = await owner.visit(to, key)
    if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
    if (!(session instanceof TestSession)) throw new Error("no session")
    return new TestPerson(owner, session, key)
  }

  act(operation: Operation, body: Bytes): Promise<Bytes> {
    return actIn(this.session, signRequest(this.owner.request(operation, body), this.key))
  }

  async show(activityId: Bytes): Promise<ActivityShown> {
    return decode(
      activityShown,
      await this.act("requests.show", encode(activityBody, { activityId })),
    )
  }

  async decide(verdict: SignedApproval): Promise<ActivityListing> {
    const body = encode(decideActivityBody, { verdict })
    return decode(activityListing, await this.act("requests.decide", body))
  }
}

/** People decide at every server, each in a session there. */
export async function decideEverywhere(
  owner: TestOwner,
  listing: ActivityListing,
  person: string,
  options: { verdict?: Verdict; which?: string } = {},
): Promise<void> {
  const { which = "first" } = options
  const signed = signApproval(approvalOf(owner, listing, person, options), keyOf(person, which))
  for (const to of owner.servers) {
    const visitor = await TestPerson.visit(owner, to, person, which)
    await visitor.decide(signed)
  }
}
