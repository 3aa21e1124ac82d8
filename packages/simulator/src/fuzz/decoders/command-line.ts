import { PassThrough, Readable, Writable } from "node:stream"
import { LockKeeperError } from "@lockkeeper/api"
import type { Decoder } from "../decoder.ts"
import type { Dice } from "../dice.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { ofText } from "./made-of.ts"

/** Words of a command line are parted by this, since they may hold spaces. */
const BETWEEN = "\n"

/** Commands that write files or start processes before any server is asked: these are only parsed. */
const ONLY_PARSED: readonly string[] = ["dev", "roster", "server", "completion", "logout"]

class Collector extends Writable {
  text = ""

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

/** As much of commander's command as is used here. */
interface Command {
  readonly commands: readonly Command[]
  name(): string
  helpInformation(): string
  outputHelp(): void
  action(run: () => void): Command
  parseAsync(args: readonly string[], options: { from: "user" }): Promise<unknown>
}

type BuildProgram = (host: object, finish: () => void) => Command
type Run = (args: readonly string[], host: object) => Promise<number>

/** A host that reaches no server, no agent and no file but those that are named. */
function emptyHost() {
  const [out, err] = [new Collector(), new Collector()]
  const host = {
    environment: { LK_HOME: "/nonexistent/lockkeeper-fuzz", LK_AGENT: "off" },
    terminal: { input: Readable.from([]), out, err, interactive: false },
    signal: new AbortController().signal,
    connect: () => Promise.reject(new LockKeeperError("unavailable", "No server answered.")),
    spawnAgent: () => Promise.reject(new LockKeeperError("unavailable", "There is no agent.")),
  }
  return { host, out, err }
}

function leavesOf(command: Command): readonly Command[] {
  if (command.commands.length === 0) return [command]
  return command.commands.flatMap(leavesOf)
}

/** The command lines that the program's own help shows, one for each example. */
function examplesOf(build: BuildProgram): readonly string[] {
  const { host, out } = emptyHost()
  for (const leaf of leavesOf(build(host, () => undefined))) leaf.outputHelp()
  const lines = [...out.text.matchAll(/^ {2}\$ lockkeeper ([^|#>\n]+)/gm)]
  return [...new Set(lines.map(([, line]) => (line as string).trim().split(/\s+/).join(BETWEEN)))]
}

/** One word of it replaced, doubled, or taken from another command. */
function changeWords(examples: readonly string[]) {
  return (line: string, dice: Dice): string => {
    const words = line.split(BETWEEN)
    const other = dice.one(dice.one(examples).split(BETWEEN))
    const at = dice.below(words.length + 1)
    const put = dice.one<readonly string[]>([
      ...[[other], [other, other], [], ["--"], ["--json"], [""], ["--help"], [`--${other}`], ["-"]],
      ...[["99999999999999999999"], ["-1"], ["m/0'/1"], ["\u202e"], [`${other}=${other}`]],
    ])
    words.splice(at, dice.below(2), ...put)
    return words.join(BETWEEN)
  }
}

/** Command lines, and frames between a command and the agent. */
export function commandLineDecoders(inside: Inside): readonly Decoder[] {
  const program = "packages/cli/src/program.ts"
  const build = nameIn<BuildProgram>(inside, program, "buildProgram")
  const run = nameIn<Run>(inside, program, "run")
  const examples = examplesOf(build)
  const commandLine = ofText({
    name: "command line",
    samples: examples,
    weight: 0.5,
    change: changeWords(examples),
    async read(text) {
      const words = text.split(BETWEEN)
      // No system hands such a word to a program.
      if (text.includes("\0")) return false
      const { host, out, err } = emptyHost()
      if (words.some((word) => ONLY_PARSED.includes(word))) {
        return await parses(build, words)
      }
      const code = await run(words, host)
      const said = out.text + err.text
      if (code === 1 || /unexpected fault/.test(said))
        throw new Error(`a fault of its own: ${said}`)
      // Reaching out to servers that are not there means that the words were understood.
      return code === 0 || /No server answered|no roster at/.test(said)
    },
  })
  return [commandLine, frameDecoder(inside)]
}

/** Whether the words are a command line; nothing is done. */
async function parses(build: BuildProgram, words: readonly string[]): Promise<boolean> {
  const { host } = emptyHost()
  const program = build(host, () => undefined)
  for (const leaf of leavesOf(program)) leaf.action(() => undefined)
  try {
    await program.parseAsync(words, { from: "user" })
    return true
  } catch (error) {
    if (error instanceof Error && error.constructor.name === "CommanderError") return false
    throw error
  }
}

function frameDecoder(inside: Inside): Decoder {
  type ReadFrame = (input: Readable, codec: object) => Promise<unknown>
  type WriteFrame = (output: Writable, codec: object, value: unknown) => Promise<void>
  const frames = "packages/cli/src/agent/frames.ts"
  const readFrame = nameIn<ReadFrame>(inside, frames, "readFrame")
  void nameIn<WriteFrame>(inside, frames, "writeFrame")
  const codec = nameIn<object>(inside, "packages/encoding/src/codec.ts", "u64")
  return {
    name: "agent: frame",
    samples: [Uint8Array.of(0, 0, 0, 8, ...new Uint8Array(8).fill(3))],
    weight: 0.3,
    change: null,
    layout: () => [
      { path: "", kind: "integer", start: 0, end: 4 },
      { path: "", kind: "bytes", start: 4, end: 12 },
    ],
    async read(input) {
      const stream = new PassThrough()
      stream.end(input)
      await readFrame(stream, codec)
      return { accepted: true, again: null }
    },
  }
}
