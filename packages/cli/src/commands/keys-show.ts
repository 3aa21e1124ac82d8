import { type AddCommands, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { keyJson, keyText } from "../text.ts"

/** `lockkeeper keys show KEY`. */
export const addKeysShow: AddCommands = (add) =>
  add({
    usage: "show",
    summary: "Show one key, with its public key",
    arguments: [["<key>", "id, first digits of it, or label"]],
    examples: ["lockkeeper keys show 3fa85f64c0de", "lockkeeper keys show savings --json"],
    run: (context, _, [named = ""]) =>
      withOwner(context, async (session) => {
        const work = () => findKey(session, named, context.signal)
        const key = await withProgress(context.terminal, "Fetching the key", work)
        return report(keyText(key), { key: keyJson(key) })
      }),
  })
