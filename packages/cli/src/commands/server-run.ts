import { once } from "node:events"
import { resolve } from "node:path"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { PASSPHRASE_OPTION, passphraseFor } from "../passphrase.ts"
import { withProgress } from "../terminal.ts"

interface RunOptions {
  readonly passphraseFile?: string
  readonly untilInputEnds?: boolean
}

/** `lockkeeper server run DIR`: serve until SIGTERM or Ctrl-C. */
export const addServerRun: AddCommands = (add) =>
  add<RunOptions>({
    usage: "run",
    summary: "Unseal a key server and serve until SIGTERM or Ctrl-C",
    arguments: [["<directory>", "the server's directory, with server.json"]],
    options: [
      PASSPHRASE_OPTION,
      option("--until-input-ends", "also end when standard input does").hideHelp(),
    ],
    examples: [
      "lockkeeper server run ./server-1",
      "LK_PASSPHRASE_FILE=/run/secrets/lockkeeper lockkeeper server run ./server-1",
    ],
    run: runUntilStopped,
  })

async function runUntilStopped(
  context: Context,
  options: RunOptions,
  [directory = ""]: readonly string[],
): Promise<Report> {
  const { terminal, settings } = context
  // Loaded here so that the other commands start without the key server.
  const server = await import("@lockkeeper/server")
  const config = server.readConfig(directory)
  const inConfig = config.seal.passphraseFile
  const file = options.passphraseFile ?? (inConfig && resolve(directory, inConfig))
  const seal = new server.PassphraseSeal(
    await passphraseFor(context, file, "existing"),
    server.systemRandomness,
  )
  try {
    const events = server.pinoEvents(config.log.level, {})
    const start = () => server.runServer({ directory, config, seal, events })
    const running = await withProgress(terminal, "Unsealing", start)
    const { name, host, port } = running
    const line = { ok: true, event: "listening", name, host, port }
    terminal.out.write(
      settings.json
        ? `${JSON.stringify(line)}\n`
        : `Key server "${name}" listens on ${host}:${port}. Ctrl-C ends it.\n`,
    )
    await stopRequested(context, options.untilInputEnds === true)
    await running.close()
    return report(`Key server "${name}" has ended.\n`, { event: "ended", name })
  } finally {
    await seal.close()
  }
}

async function stopRequested(
  { signal, terminal }: Context,
  untilInputEnds: boolean,
): Promise<void> {
  if (signal.aborted) return
  const stopped = once(signal, "abort")
  if (!untilInputEnds) return void (await stopped)
  terminal.input.resume()
  await Promise.race([stopped, once(terminal.input, "end"), once(terminal.input, "close")])
  // An input that flows would keep the process alive.
  terminal.input.pause()
}
