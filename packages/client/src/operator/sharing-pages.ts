import {
  LockKeeperError,
  listSharingsBody,
  MAX_SHARINGS_PAGE,
  type SharingKind,
  type SharingListing,
  type SharingsPage,
  sharingsPage,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { readAnswer } from "../answers.ts"
import { MAX_SHARING_PAGES } from "../limits.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"

const EMPTY = new Uint8Array(0)

/**
 * What one server lists, page by page in the order of ids. Every page goes on where the one before
 * ended, so that no server can keep its reader for longer than it has sharings.
 *
 * @throws LockKeeperError `untrusted-server` when a page is out of order; `too-large`.
 */
export async function* sharingPages(
  principal: OperatorPrincipal,
  server: Identifier,
  kind: SharingKind,
  signal: AbortSignal,
): AsyncGenerator<readonly SharingListing[]> {
  let after: Bytes | null = null
  for (let page = 0; page < MAX_SHARING_PAGES; page++) {
    const body: Bytes = encode(listSharingsBody, { kind, after, limit: MAX_SHARINGS_PAGE })
    const request = principal.request("sharings.list", [server], body)
    const { output } = await principal.act(server, request, 1, EMPTY, signal)
    const { sharings, next }: SharingsPage = readAnswer(server, sharingsPage, output)
    checkOrder(server, after, sharings, next)
    yield sharings
    if (next === null) return
    after = next
  }
  throw new LockKeeperError("too-large", "The server has more sharings than can be listed.", {
    server,
    field: kind,
  })
}

function checkOrder(
  server: Identifier,
  after: Bytes | null,
  sharings: readonly SharingListing[],
  next: Bytes | null,
): void {
  const ids = sharings.map(({ sharing }) => toHex(sharing.id))
  const bound = after === null ? "" : toHex(after)
  const ascending = ids.every((id, i) => id > (ids[i - 1] ?? bound))
  if (ascending && (next === null || toHex(next) >= (ids.at(-1) ?? bound))) {
    if (next === null || toHex(next) > bound) return
  }
  throw new LockKeeperError("untrusted-server", "The server's list is out of order.", { server })
}
