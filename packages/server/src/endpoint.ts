import { LockKeeperError, placementMargin, type RosterChain } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import type { KeyServer } from "./key-server.ts"
import type { Gate } from "./limits/gate.ts"
import type { Endpoint, ServerState } from "./ports/listener.ts"
import { PROTOCOL_VERSION, VERSION } from "./version.ts"

/** A key server behind its limits: what listeners serve. `state` is asked at every health check. */
export function endpointOf(server: KeyServer, gate: Gate, state: () => ServerState): Endpoint {
  const { self, counters } = server
  const placement = placementMargin(self.roster)
  const chain: RosterChain = [...self.rostersBefore, self.signedRoster]
  // What is sealed into an answer is counted where it is made; this is what no session carries.
  const counted = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      counters.refused(error instanceof LockKeeperError ? error.code : "internal")
      throw error
    }
  }
  return {
    health: () => ({
      state: state(),
      server: self.identifier,
      rosterEpoch: self.roster.rosterEpoch,
      timeMs: server.now(),
      storeRestored: server.storeCondition === "restored",
      placement,
    }),
    version: () => ({
      version: VERSION,
      protocolVersion: PROTOCOL_VERSION,
      backends: server.backends(),
    }),
    rosterChain: () => chain,
    open: (source, hello) =>
      counted(
        gate.admit(source, server.now(), () => {
          gate.checkOpen(source, server.now())
          return server.open(hello)
        }),
      ),
    call: (source, frame) =>
      counted(
        gate.admit(source, server.now(), () => {
          gate.checkSession(toHex(frame.sessionId), server.now())
          return server.call(frame)
        }),
      ),
  }
}
