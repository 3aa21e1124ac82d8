import { LockKeeperError, type PlacementMargin, placementMargin } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import type { Gate } from "./limits/gate.ts"
import type { Endpoint, ServerState } from "./ports/listener.ts"
import type { ServerSelf } from "./self.ts"
import type { Turnstile } from "./turnstile.ts"
import { PROTOCOL_VERSION, VERSION } from "./version.ts"

/** A key server behind its limits: what listeners serve. `state` is asked at every health check. */
export function endpointOf(turnstile: Turnstile, gate: Gate, state: () => ServerState): Endpoint {
  const now = (): number => turnstile.server.now()
  const placementOf = lastPlacement()
  // What is sealed into an answer is counted where it is made; this is what no session carries.
  const counted = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      const code = error instanceof LockKeeperError ? error.code : "internal"
      turnstile.server.counters.refused(code)
      throw error
    }
  }
  return {
    health: () => {
      const { self, storeCondition } = turnstile.server
      return {
        state: turnstile.isBroken ? "sealed" : state(),
        server: self.identifier,
        rosterEpoch: self.roster.rosterEpoch,
        timeMs: now(),
        storeRestored: storeCondition === "restored",
        placement: placementOf(self),
      }
    },
    version: () => ({
      version: VERSION,
      protocolVersion: PROTOCOL_VERSION,
      backends: turnstile.server.backends(),
    }),
    rosterChain: () => {
      const { rostersBefore, signedRoster } = turnstile.server.self
      return [...rostersBefore, signedRoster]
    },
    open: (source, hello) =>
      counted(
        gate.admit(source, now(), () => {
          gate.checkOpen(source, now())
          return turnstile.pass((server) => server.open(hello))
        }),
      ),
    call: (source, frame) =>
      counted(
        gate.admit(source, now(), () => {
          gate.checkSession(toHex(frame.sessionId), now())
          return turnstile.pass((server) => server.call(frame))
        }),
      ),
  }
}

/** What a roster's rules leave takes trying all sets of servers: once for each roster. */
function lastPlacement(): (self: ServerSelf) => PlacementMargin {
  let last: { readonly self: ServerSelf; readonly margin: PlacementMargin } | null = null
  return (self) => {
    if (last?.self !== self) last = { self, margin: placementMargin(self.roster) }
    return last.margin
  }
}
