import { LockKeeperError } from "@lockkeeper/api"
import { agentStatus } from "../agent/remote-session.ts"
import { agentSocket } from "../agent/socket.ts"
import { type AddCommands, type Context, NAME_OPTION, type Report, report } from "../command.ts"
import { accountName, existingPassword } from "../prompts.ts"
import { addressOf, passwordSource, withKeeper } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { duration } from "../text.ts"

/** `lockkeeper login`: start the agent, or with --no-agent only check the password. */
export const addLogin: AddCommands = (add) =>
  add<{ name?: string }>({
    usage: "login",
    summary:
      "Log in in place of who was logged in; an agent holds the session until logout or idleness",
    options: [NAME_OPTION],
    examples: [
      "lockkeeper login --name ada",
      "LK_PASSWORD_FILE=./password lockkeeper login --name ada",
      "lockkeeper login --no-agent   # only checks the password",
    ],
    run: login,
  })

async function login(context: Context, options: { name?: string }): Promise<Report> {
  const { settings, terminal, signal } = context
  const name = await accountName(terminal, options.name ?? settings.name, signal)
  const source = passwordSource(settings, `Password of ${name}`)
  using password = await existingPassword(terminal, source, signal)
  if (!settings.useAgent) {
    await withKeeper(context, async (keeper) => {
      const logIn = () => keeper.login(name, password, signal)
      const session = await withProgress(terminal, "Logging in", logIn)
      await session.logout()
    })
    const text = "The password is right. No agent was started: each command will ask for it.\n"
    return report(text, { name, agent: false })
  }
  const socket = agentSocket(settings.home)
  const { agentIdleMs: idleMs } = settings
  const start = { address: addressOf(settings), name, password: password.expose(), socket, idleMs }
  await withProgress(terminal, "Logging in", () => context.spawnAgent(start, signal))
  const status = await agentStatus(socket, signal)
  if (status === null) {
    throw new LockKeeperError("internal", "The agent ended right after the login.", {
      remedy: "Run `lockkeeper doctor`.",
    })
  }
  const text =
    `Logged in as ${name}. The session stays in the agent's memory and ends after ` +
    `${duration(idleMs)} without use, or with \`lockkeeper logout\`.\n`
  return report(text, { name, agent: true, idleMs })
}
