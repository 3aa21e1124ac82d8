import type { Identifier } from "@lockkeeper/crypto"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"

/** Said of a pair whose checks did not end often enough, for whatever reason: nobody is blamed. */
const BLAMELESS = "unfinished-checks"

/** What clients report, and what honest servers write into their logs. */
export const blame: Checker = {
  name: "blame",
  holds: "no honest server is proven at fault, and every accused pair holds a cheater",
  check: (observed) => [...byClients(observed), ...byServers(observed)],
}

function byClients({ incidents, cheaters }: Observed): readonly string[] {
  return incidents.flatMap(({ actor, incident }) => {
    const { kind, server, pair, reason } = incident
    if (kind === "proven" && !cheaters.includes(server)) {
      return [`${actor} has evidence (${reason}) against server ${server}, which is honest`]
    }
    if (kind === "disputed" && !holdsCheater(pair, cheaters)) {
      return [`${actor} has evidence (${reason}) against ${pair?.join(" or ")}, which are honest`]
    }
    return []
  })
}

function byServers({ commits, cheaters }: Observed): readonly string[] {
  return commits.flatMap(({ server, events }) => {
    // A cheater may write what it likes into its own log.
    if (cheaters.includes(server)) return []
    return events.flatMap(({ operation, reason, culprits, pair }) => [
      ...culprits
        .filter((culprit) => !cheaters.includes(culprit))
        .map((culprit) => `server ${server} blames ${culprit} in ${operation} (${reason})`),
      ...(pair === null || reason === BLAMELESS || holdsCheater(pair, cheaters)
        ? []
        : [`server ${server} blames ${pair.join(" or ")} in ${operation} (${reason})`]),
    ])
  })
}

function holdsCheater(
  pair: readonly [Identifier, Identifier] | null,
  cheaters: readonly Identifier[],
): boolean {
  return pair?.some((server) => cheaters.includes(server)) ?? false
}
