import { type AddCommands, report } from "../command.ts"
import { chosenPassword, existingPassword } from "../prompts.ts"
import { passwordSource, withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper passwd`: change the password; keys stay as they are. */
export const addPasswd: AddCommands = (add) =>
  add({
    usage: "passwd",
    summary: "Change the password; keys and account stay the same",
    examples: [
      "lockkeeper passwd",
      "LK_PASSWORD_FILE=./old LK_NEW_PASSWORD_FILE=./new lockkeeper passwd",
    ],
    async run(context) {
      const { settings, terminal, signal } = context
      return await withOwner(context, async (session) => {
        const old = passwordSource(settings, `Current password of ${session.name}`)
        using current = await existingPassword(terminal, old, signal)
        const file = settings.newPasswordFile
        const fresh = { file, setting: "LK_NEW_PASSWORD_FILE", question: "New password" } as const
        using next = await chosenPassword(terminal, fresh, signal)
        const work = () => session.changePassword(current, next, signal)
        await withProgress(terminal, "Changing the password at every key server", work)
        return report(`The password of ${session.name} is changed.\n`, { name: session.name })
      })
    },
  })
