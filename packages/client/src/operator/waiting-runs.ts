import {
  LockKeeperError,
  listWaitingBody,
  type SharingKind,
  type WaitingPage,
  type WaitingRun,
  waitingPage,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { readAnswer } from "../answers.ts"
import { MAX_WAITING_PAGES } from "../limits.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"

const EMPTY = new Uint8Array(0)

/**
 * The runs whose certificate a server waits for, in the order of their names. More than are read here
 * come up the next time, when those before are finished.
 *
 * @throws LockKeeperError `untrusted-server` when a page is out of order.
 */
export async function waitingRuns(
  principal: OperatorPrincipal,
  server: Identifier,
  kind: SharingKind,
  signal: AbortSignal,
): Promise<readonly WaitingRun[]> {
  const all: WaitingRun[] = []
  let after: Bytes | null = null
  for (let page = 0; page < MAX_WAITING_PAGES; page++) {
    const body: Bytes = encode(listWaitingBody, { kind, after })
    const request = principal.request("reshare.waiting", [server], body)
    const { output } = await principal.act(server, request, 1, EMPTY, signal)
    const { runs, next }: WaitingPage = readAnswer(server, waitingPage, output)
    checkOrder(server, after, runs, next)
    all.push(...runs)
    if (next === null) break
    after = next
  }
  return all
}

function checkOrder(
  server: Identifier,
  after: Bytes | null,
  runs: readonly WaitingRun[],
  next: Bytes | null,
): void {
  const names = [...runs.map(({ run }) => run), ...(next === null ? [] : [next])].map(toHex)
  const bound = after === null ? "" : toHex(after)
  // The last of a page may be what the next one is asked for after.
  const isAscending = names.every((name, i) => {
    const before = names[i - 1] ?? bound
    return name > before || (i === runs.length && i > 0 && name === before)
  })
  if (isAscending) return
  throw new LockKeeperError("untrusted-server", "The server's list is out of order.", { server })
}
