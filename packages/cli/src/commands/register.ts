import { type AddCommands, NAME_OPTION, report } from "../command.ts"
import { accountName, chosenPassword } from "../prompts.ts"
import { passwordSource, withKeeper } from "../session.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper register`: a new account at every server of the roster. */
export const addRegister: AddCommands = (add) =>
  add<{ name?: string }>({
    usage: "register",
    summary: "Create an account; all key servers take part",
    options: [NAME_OPTION],
    examples: [
      "lockkeeper register --name ada",
      "LK_PASSWORD_FILE=./password lockkeeper register --name ada --json",
    ],
    async run(context, options) {
      const { settings, terminal, signal } = context
      const name = await accountName(terminal, options.name ?? settings.name, signal)
      const source = passwordSource(settings, `New password for ${name}`)
      using password = await chosenPassword(terminal, source, signal)
      return await withKeeper(context, async (keeper) => {
        const work = () => keeper.register(name, password, signal)
        await withProgress(terminal, "Registering at every key server", work)
        const { servers, threshold } = keeper
        const text =
          `Registered ${name} at ${servers} key servers. No server knows the password, and ` +
          `fewer than ${threshold} of them together cannot test a guess.\n` +
          `Next: lockkeeper login --name ${name}\n`
        return report(text, { name, servers, threshold })
      })
    },
  })
