import { decode } from "@lockkeeper/encoding"
import { pairRow } from "@lockkeeper/server/rows"
import type { Checker } from "./checker.ts"

/** Only a copy that was put back may forget that a pair was dead, as docs/operating.md says. */
export const pairs: Checker = {
  name: "pairs",
  holds: "a pair of servers that failed a check never multiplies together again",
  check({ commits, starts }) {
    const deadSince = new Map<string, number>()
    return commits.flatMap(({ server, process, changes }) =>
      changes.flatMap((change) => {
        if (change.kind !== "put" || change.table !== "pairs") return []
        const place = `${server}/${change.id}`
        if (decode(pairRow, change.value).kind === "dead") {
          if (!deadSince.has(place)) deadSince.set(place, process)
          return []
        }
        const since = deadSince.get(place)
        if (since === undefined) return []
        const restored = starts.some(
          (start) =>
            start.server === server &&
            start.how === "restored" &&
            start.process > since &&
            start.process <= process,
        )
        if (restored) deadSince.delete(place)
        return restored ? [] : [`server ${server} set the dead pair ${change.id} up again`]
      }),
    )
  },
}
