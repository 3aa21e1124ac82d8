import { LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import type { KeyView, PoolView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { duration, incidentText, moment, table } from "../text.ts"

/** `lockkeeper pool status KEY`. */
export const addPoolStatus: AddCommands = (add) =>
  add({
    usage: "status",
    summary: "Show the presignatures that wait at the key servers for an ECDSA key",
    arguments: [["<key>", "id, first digits of it, or label"]],
    examples: ["lockkeeper pool status spending", "lockkeeper pool status spending --json"],
    run: (context, _, [named = ""]) =>
      withOwner(context, async (session) => {
        const { terminal, signal } = context
        const { key, pool } = await withProgress(terminal, "Asking the key servers", async () => {
          const key = await findKey(session, named, signal)
          checkHasPool(key)
          return { key, pool: await session.poolStatus(key.keyId, signal) }
        })
        const { incidents, ...rest } = pool
        terminal.err.write(incidentText(incidents))
        return report(poolText(pool), { keyId: toHex(key.keyId), ...rest, incidents })
      }),
  })

/** @throws LockKeeperError `invalid-request` for keys that sign without presignatures. */
function checkHasPool({ keyType }: KeyView): void {
  if (keyType === "ecdsa-secp256k1") return
  throw new LockKeeperError("invalid-request", `Keys of type ${keyType} have no pool.`, {
    field: "key",
    remedy: "Name a key of type ecdsa-secp256k1: only ECDSA takes presignatures.",
  })
}

function poolText({ sets, cap, held, maxAgeMs, busy, pairs }: PoolView): string {
  const rows = sets.map(({ signers, ready, oldestAt, complete }) => [
    signers.join(", "),
    String(ready),
    oldestAt === 0 ? "-" : moment(oldestAt),
    complete ? "can sign" : "a signer gave no answer",
  ])
  const head = ["SIGNERS", "READY", "OLDEST", "STATE"]
  const list =
    rows.length === 0
      ? "No presignatures: the next signature makes its own.\n"
      : table([head, ...rows])
  const dead = pairs.filter(({ state }) => state === "dead")
  const apart = dead.map(
    ({ servers }) =>
      `Servers ${servers.join(" and ")} work together no more: one of them cheated.\n`,
  )
  return (
    `${list}${apart.join("")}` +
    `${held} of at most ${cap} are kept at a server, each for ${duration(maxAgeMs)}; ` +
    `${busy} ${busy === 1 ? "step is" : "steps are"} under way.\n`
  )
}
