import { LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, type Report, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { findKey } from "../find-key.ts"
import type { KeyStateChange, KeyStateView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText } from "../text.ts"

interface StateCommand {
  readonly change: KeyStateChange
  readonly summary: string
  readonly doing: string
  readonly examples: readonly string[]
}

const COMMANDS: readonly StateCommand[] = [
  {
    change: "suspend",
    summary: "Have the key servers sign nothing with a key until it is resumed",
    doing: "Suspending the key",
    examples: ["lockkeeper keys suspend spending"],
  },
  {
    change: "resume",
    summary: "Have the key servers sign again with a key that was suspended",
    doing: "Resuming the key",
    examples: ["lockkeeper keys resume spending"],
  },
  {
    change: "deactivate",
    summary: "Have the key servers never sign with a key again",
    doing: "Deactivating the key",
    examples: ["lockkeeper keys deactivate old --yes"],
  },
]

/** `lockkeeper keys suspend|resume|deactivate KEY`. */
export const addKeysState: AddCommands = (add) => {
  for (const command of COMMANDS) {
    const { change, summary, doing, examples } = command
    const isForGood = change === "deactivate"
    add<{ yes?: boolean }>({
      usage: change,
      summary,
      arguments: [["<key>", "id, first digits of it, or label"]],
      options: isForGood ? [option("--yes", "it is meant: there is no way back")] : [],
      examples,
      async run(context, { yes }, [named = ""]) {
        if (isForGood && yes !== true) throw notMeant()
        const { terminal, signal } = context
        return await withOwner(context, async (session) => {
          const changed = await withProgress(terminal, doing, async () => {
            const { keyId } = await findKey(session, named, signal)
            return await session.changeKeyState(keyId, change, signal)
          })
          terminal.err.write(incidentText(changed.incidents))
          return reportOf(change, changed)
        })
      },
    })
  }
}

function notMeant(): LockKeeperError {
  return new LockKeeperError("invalid-request", "A deactivated key never signs again.", {
    field: "yes",
    remedy: "Move what it holds first, then repeat with --yes; or suspend it.",
  })
}

function reportOf(change: KeyStateChange, view: KeyStateView): Report {
  const { keyId, servers, missing, needed, effective, state } = view
  const done = `The key is ${state} at server${servers.length === 1 ? "" : "s"} ${servers.join(", ")}`
  const rest = missing.length === 0 ? "" : `; not at ${missing.join(", ")}`
  const meaning =
    change === "resume"
      ? `It signs with ${needed} of them`
      : `It signs no more once ${needed} refuse`
  const verdict = effective
    ? `${meaning}: it is in effect.`
    : `${meaning}: it is not in effect yet. Run the command again when they are back.`
  const repeat = effective && missing.length > 0 ? " Run it again when the others are back." : ""
  const json = { keyId: toHex(keyId), ...{ state, servers, missing, needed, effective } }
  return report(
    `${done}${rest}.\n${verdict}${repeat}\n`,
    { ...json, incidents: view.incidents },
    effective ? EXIT.ok : EXIT.servers,
  )
}
