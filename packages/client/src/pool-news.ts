import {
  MAX_PRESIGNATURES,
  type PairState,
  type PoolStatus,
  poolStatus,
  showKeyBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { readAnswer } from "./answers.ts"
import { askAll } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import type { Principal } from "./principal.ts"
import { type DeadPairs, isAscending, nameOfSet, type SignerSet } from "./signer-sets.ts"

/** One signer set's part of a key's pool, as its signers that answered agree on it. */
export interface PoolSet {
  readonly signers: SignerSet
  /** Presignatures that every signer has. */
  readonly ready: number
  /** When the oldest was made, milliseconds since the Unix epoch; 0 when there is none. */
  readonly oldestAt: number
  /** Whether every signer has answered: otherwise the set cannot sign just now. */
  readonly complete: boolean
}

export interface PairInfo {
  readonly servers: readonly [Identifier, Identifier]
  readonly state: PairState
}

/** A key's pool over all servers that answered. */
export interface PoolNews {
  readonly sets: readonly PoolSet[]
  /** Most presignatures of the key at one server, over all sets. */
  readonly cap: number
  readonly maxAgeMs: number
  /** Signatures and presigning steps that the busiest server is at work on. */
  readonly busy: number
  readonly pairs: readonly PairInfo[]
  /** Presignatures of the key at the server that has most. */
  readonly held: number
  /** For how many more each server that answered has room. */
  readonly rooms: ReadonlyMap<Identifier, number>
  /** By set, how many each signer has that another has lost: they give way when more are made. */
  readonly unmatched: ReadonlyMap<string, ReadonlyMap<Identifier, number>>
}

type Answers = ReadonlyMap<Identifier, PoolStatus>

/** Asks these servers about a key's pool; pairs that one end says are dead are noted. */
export async function askPool(
  principal: Principal,
  keyId: Bytes,
  among: readonly Identifier[],
  context: {
    readonly dead: DeadPairs
    readonly signal: AbortSignal
    readonly incidents: IncidentLog
    readonly callMs?: number
  },
): Promise<PoolNews> {
  const { dead, signal, incidents, callMs } = context
  const body = encode(showKeyBody, { keyId })
  const request = principal.request("pool.status", among, body)
  const none = new Uint8Array(0)
  const { answers, failures } = await askAll(principal.servers, among, async (server) => {
    const { output } = await principal.act(server, request, 1, none, signal, callMs)
    return readAnswer(server, poolStatus, output)
  })
  for (const [server, error] of failures) incidents.failed(server, error)
  const pairs = pairsOf(answers)
  for (const { servers, state } of pairs) if (state === "dead") dead.add(...servers)
  const rooms = new Map(
    [...answers].map(([server, said]) => [
      server,
      Math.min(MAX_PRESIGNATURES, said.cap) - heldIn(said),
    ]),
  )
  const sets = setsOf(answers)
  const unmatched = unmatchedIn(answers, sets)
  return { ...summaryOf([...answers.values()]), sets, pairs, rooms, unmatched }
}

function unmatchedIn(answers: Answers, sets: readonly PoolSet[]): PoolNews["unmatched"] {
  const complete = sets.filter((set) => set.complete)
  return new Map(
    complete.map(({ signers, ready }) => {
      const more = signers.map(
        (id) => [id, countOf(answers, id, nameOfSet(signers)) - ready] as const,
      )
      return [nameOfSet(signers), new Map(more)]
    }),
  )
}

function countOf(answers: Answers, server: Identifier, set: string): number {
  return answers.get(server)?.sets.find(({ signers }) => nameOfSet(signers) === set)?.ready ?? 0
}

function heldIn({ sets }: PoolStatus): number {
  return sets.reduce((sum, { ready }) => sum + ready, 0)
}

function summaryOf(
  answers: readonly PoolStatus[],
): Pick<PoolNews, "cap" | "maxAgeMs" | "busy" | "held"> {
  return {
    cap: Math.min(255, ...answers.map(({ cap }) => cap)),
    maxAgeMs: Math.min(Number.MAX_SAFE_INTEGER, ...answers.map(({ maxAgeMs }) => maxAgeMs)),
    busy: Math.max(0, ...answers.map(({ busy }) => busy)),
    held: Math.max(0, ...answers.map(heldIn)),
  }
}

function setsOf(answers: Answers): readonly PoolSet[] {
  const sets = new Map<string, SignerSet>()
  for (const [server, { sets: listed }] of answers) {
    for (const { signers } of listed) {
      // What a server says of sets that are none, or not its own, is nothing that it can know.
      if (!isAscending(signers) || !signers.includes(server)) continue
      sets.set(nameOfSet(signers), signers)
    }
  }
  return [...sets].map(([name, signers]) => {
    const parts = signers.map((id) => {
      const listed = answers.get(id)?.sets.find((part) => nameOfSet(part.signers) === name)
      return { answered: answers.has(id), ready: listed?.ready ?? 0, at: listed?.oldestAt ?? 0 }
    })
    const present = parts.filter(({ answered }) => answered)
    const ready = Math.min(...present.map(({ ready }) => ready))
    const made = present.map(({ at }) => at).filter((at) => at > 0)
    const oldest = made.length === 0 ? 0 : Math.min(...made)
    const complete = present.length === signers.length
    return { signers, ready, oldestAt: ready === 0 ? 0 : oldest, complete }
  })
}

/** Dead when one end says so, live when both do. */
function pairsOf(answers: Answers): readonly PairInfo[] {
  const said = (from: Identifier, about: Identifier): PairState | undefined =>
    answers.get(from)?.pairs.find(({ peer }) => peer === about)?.state
  const all = new Map<string, PairInfo>()
  for (const [from, { pairs }] of answers) {
    for (const { peer } of pairs) {
      const servers: readonly [Identifier, Identifier] = from < peer ? [from, peer] : [peer, from]
      const states = [said(from, peer), said(peer, from) ?? said(from, peer)]
      const isLive = states.every((state) => state === "live")
      const state = states.includes("dead") ? "dead" : isLive ? "live" : "none"
      all.set(nameOfSet(servers), { servers, state })
    }
  }
  return [...all.values()]
}
