import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { remoteSession } from "./agent/remote-session.ts"
import { agentSocket } from "./agent/socket.ts"
import type { Context } from "./command.ts"
import type { Keeper, KeeperAddress, OwnerSession } from "./owner.ts"
import { accountName, existingPassword } from "./prompts.ts"
import type { Settings } from "./settings.ts"
import { withProgress } from "./terminal.ts"

/** Where the profile's key servers are. */
export function addressOf({ home, roster, rosterPin, ca }: Settings): KeeperAddress {
  const kept = { evidence: join(home, "evidence"), deviceSecrets: join(home, "device-secrets") }
  return { roster, rosterPin, ca, ...kept }
}

/** Runs `use` on a connection to the key servers and closes it whatever happens. */
export async function withKeeper<T>(
  context: Context,
  use: (keeper: Keeper) => Promise<T>,
): Promise<T> {
  const keeper = await context.connect(addressOf(context.settings), (note) =>
    context.terminal.err.write(note),
  )
  try {
    return await use(keeper)
  } finally {
    await keeper.close()
  }
}

/** How the account's password is found: file or prompt. */
export function passwordSource({ passwordFile }: Settings, question = "Password") {
  return { file: passwordFile, setting: "LK_PASSWORD_FILE", question } as const
}

/**
 * Runs `use` in the owner's session: the agent's, or with --no-agent one that is opened with the
 * password and ended again.
 *
 * @throws LockKeeperError `unauthenticated` when no agent runs.
 */
export async function withOwner<T>(
  context: Context,
  use: (session: OwnerSession) => Promise<T>,
): Promise<T> {
  const { settings, signal, terminal } = context
  if (settings.useAgent) {
    const session = await remoteSession(agentSocket(settings.home), signal)
    if (session !== null) return await use(session)
    throw new LockKeeperError("unauthenticated", "Nobody is logged in here.", {
      remedy: "Run `lockkeeper login`, or pass --no-agent to give the password each time.",
    })
  }
  return await withKeeper(context, async (keeper) => {
    const name = await accountName(terminal, settings.name, signal)
    using password = await existingPassword(terminal, passwordSource(settings), signal)
    const logIn = () => keeper.login(name, password, signal)
    const session = await withProgress(terminal, "Logging in", logIn)
    try {
      return await use(session)
    } finally {
      await session.logout()
    }
  })
}
