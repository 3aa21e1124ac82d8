import { remoteSession } from "../agent/remote-session.ts"
import { agentSocket } from "../agent/socket.ts"
import { type AddCommands, report } from "../command.ts"

/** `lockkeeper logout`: end the agent and its session. */
export const addLogout: AddCommands = (add) =>
  add({
    usage: "logout",
    summary: "End the agent and the session it holds",
    examples: ["lockkeeper logout"],
    async run({ settings, signal }) {
      const session = await remoteSession(agentSocket(settings.home), signal)
      if (session === null) return report("Nobody was logged in here.\n", { wasLoggedIn: false })
      await session.logout()
      return report(`Logged out ${session.name}.\n`, { wasLoggedIn: true, name: session.name })
    },
  })
