import { encodeRosterChain, LockKeeperError, placementMargin } from "@lockkeeper/api"
import type { ServerLink } from "@lockkeeper/client"
import type { KeyServer } from "@lockkeeper/server"

/** The way to one server: what a test does to it, and what it saw. */
export interface Wire {
  /** Nothing gets through, and the caller is told so at once. */
  down?: boolean
  /** Nothing comes back, ever. */
  hangs?: boolean
  /** What it shows for a chain of rosters in place of its own. */
  roster?: Uint8Array<ArrayBuffer>
  /** The next answers are lost after the server has done its work. */
  loseAnswers?: number
  /** Of the next frames a copy arrives first, and its answer goes nowhere. */
  copies?: number
  /** Added before each answer. */
  delayMs?: number
  /** Alters answers. */
  tamper?: (kind: "open" | "call", answer: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>
  /** Runs before each answer leaves; true loses it, as a server does that changed its mind. */
  recall?: () => Promise<boolean>
  calls: number
}

/** A link that ends in a server of this process. */
export function linkTo(server: () => KeyServer, wire: Wire): ServerLink {
  const through = async <T>(act: () => Promise<T>): Promise<T> => {
    wire.calls++
    if (wire.down) throw new LockKeeperError("unavailable", "Connection refused.")
    if (wire.hangs) return new Promise(() => undefined)
    const answer = await act()
    if (await wire.recall?.()) throw new LockKeeperError("unavailable", "Connection reset.")
    if (wire.loseAnswers !== undefined && wire.loseAnswers > 0) {
      wire.loseAnswers--
      throw new LockKeeperError("unavailable", "Connection reset.")
    }
    if (wire.delayMs !== undefined) await new Promise((done) => setTimeout(done, wire.delayMs))
    return answer
  }
  const tampered = (kind: "open" | "call", answer: Uint8Array<ArrayBuffer>) =>
    wire.tamper === undefined ? answer : wire.tamper(kind, answer)
  return {
    open: (hello) => through(async () => tampered("open", await server().open(hello))),
    call: (frame) =>
      through(async () => {
        if (wire.copies !== undefined && wire.copies > 0) {
          wire.copies--
          await server().call({ ...frame, sealed: frame.sealed.slice() })
        }
        return tampered("call", await server().call(frame))
      }),
    status: () =>
      through(async () => ({
        state: "ready" as const,
        server: server().self.identifier,
        rosterEpoch: server().self.roster.rosterEpoch,
        timeMs: server().now(),
        storeRestored: false,
        placement: placementMargin(server().self.roster),
        version: "test",
        protocolVersion: 1,
        backends: server().backends(),
      })),
    roster: () =>
      through(
        async () =>
          wire.roster ??
          encodeRosterChain([...server().self.rostersBefore, server().self.signedRoster]),
      ),
    close: () => undefined,
  }
}
