import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type Roster,
  type ShownReshare,
  shownReshare,
  type WaitingPage,
  waitingPage,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import { type Incident, IncidentLog } from "../src/incidents.ts"
import { MAX_WAITING_PAGES } from "../src/limits.ts"
import { finishRuns } from "../src/operator/finish-runs.ts"
import type { OperatorPrincipal } from "../src/operator/operator-principal.ts"
import { waitingRuns } from "../src/operator/waiting-runs.ts"
import type { Servers } from "../src/servers.ts"
import { refused } from "./refusals.ts"

const NOTHING = { certificate: null, former: null, params: null, range: null }

const named = (name: number): Bytes => new Uint8Array(32).fill(name)

const page = (names: readonly number[], next: number | null): WaitingPage => ({
  runs: names.map((name) => ({ run: named(name), root: named(0), ids: [named(9)] })),
  next: next === null ? null : named(next),
})

type Answer = (server: Identifier, operation: string) => Bytes

/** An operator towards servers that say what a test has them say. */
function scripted(answer: Answer, roster: Partial<Roster> = {}): OperatorPrincipal {
  const inForce = { roster: { rosterEpoch: 1, minSigners: 2, members: [], ...roster } }
  const servers = {
    trust: { chain: { inForce, before: [] }, roster: inForce.roster },
    member: () => ({ name: "", operator: "" }),
    report: () => undefined,
    onIncident: () => undefined,
  }
  const principal = {
    servers: servers as unknown as Servers,
    request: (operation: string) => operation,
    async act(server: Identifier, operation: unknown) {
      return { output: answer(server, operation as string), log: {} }
    },
  }
  return principal as unknown as OperatorPrincipal
}

async function read(pages: readonly WaitingPage[]): Promise<number[]> {
  const rest = [...pages]
  const principal = scripted(() => encode(waitingPage, rest.shift() ?? page([], null)))
  const { signal } = new AbortController()
  const runs = await waitingRuns(principal, 3, "keys", signal)
  return runs.map(({ run }) => run[0] as number)
}

describe("a server's list of runs that it waits in", () => {
  it("goes on from page to page, also where one is empty", async () => {
    assert.deepEqual(await read([page([1, 2], 2), page([], 5), page([7], null)]), [1, 2, 7])
  })

  it("is refused where it is out of order or goes in circles", async () => {
    const wrong = [
      [page([2, 1], null)],
      [page([1, 1], null)],
      [page([1, 2], 1)],
      [page([1], 1), page([1], null)],
      [page([1], 1), page([], 1)],
      [page([5], 5), page([4], null)],
    ]
    for (const pages of wrong) {
      assert.equal((await refused(() => read(pages), "untrusted-server")).server, 3)
    }
  })

  it("is read so far and no further", async () => {
    const pages = Array.from({ length: MAX_WAITING_PAGES + 1 }, (_, i) => page([i], i))
    assert.equal((await read(pages)).length, MAX_WAITING_PAGES)
  })
})

describe("a certificate that a server shows for a run that waits", () => {
  const sharing = {
    ...{ id: named(9), context: named(1), group: "ristretto255" as const, keyEpoch: 2 },
    ...{ rosterEpoch: 1, minSigners: 2, verifyingKey: named(1) },
    verifyingShares: new Map([
      [1, named(1)],
      [2, named(2)],
    ]),
  }
  const certificate: reshare.ReshareCertificate = {
    ...{ sharing, index: 0, size: 1, path: [], confirmations: new Map() },
  }

  /** What comes of the run of server 1, for which server 2 shows this. */
  async function finishedWith(shown: Partial<ShownReshare>, root: Bytes, changes = {}) {
    const asked: string[] = []
    const waiting = { run: named(3), root, ids: [named(9)] }
    const principal = scripted((server, operation) => {
      asked.push(`${operation} ${server}`)
      const runs = server === 1 ? [waiting] : []
      if (operation === "reshare.waiting") return encode(waitingPage, { runs, next: null })
      return encode(shownReshare, { ...NOTHING, ...shown })
    }, changes)
    const incidents = new IncidentLog(principal.servers)
    const { signal } = new AbortController()
    const context = { kind: "accounts", among: [1, 2], signal, incidents } as const
    assert.deepEqual(await finishRuns(principal, context), { finished: 0, isChanged: false })
    const told: readonly Incident[] = incidents.all
    return { asked, told: told.map(({ server, reason }) => `${server} ${reason}`) }
  }

  const rootOf = (one: reshare.ReshareCertificate) => reshare.batchOf(one)?.root ?? named(0)

  it("is worth nothing unless a quorum has signed it, and whoever shows it is told of", async () => {
    const { told, asked } = await finishedWith({ certificate }, rootOf(certificate))
    assert.deepEqual(told, ["2 wrong-participants"])
    assert.deepEqual(asked.at(-1), "reshare.show 2")
  })

  it("is passed over where it is of something else, or of a roster that nobody knows", async () => {
    assert.deepEqual((await finishedWith({ certificate }, named(7))).told, [])
    const root = rootOf(certificate)
    assert.deepEqual((await finishedWith({ certificate }, root, { rosterEpoch: 2 })).told, [])
    assert.deepEqual((await finishedWith({}, root)).told, [])
  })
})
