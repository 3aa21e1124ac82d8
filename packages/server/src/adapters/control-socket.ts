import { once } from "node:events"
import { chmodSync, lstatSync, rmSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { relative } from "node:path"

/** Most programs of an operator that may be connected at once; more are turned away. */
const MAX_CONNECTIONS = 8

/** Longest that a request may take to come, and any other pause, milliseconds. */
const TIMEOUT_MS = 10_000

/** Longest that an answer may take: shares may have to be gone through for it. */
const ANSWER_MS = 120_000

/** How much of a line is looked at to bound it. */
const BEGUN = 32

export interface ControlListening {
  close(): Promise<void>
}

/**
 * Answers one line on each connection to a socket that only the directory's owner can open: there is
 * no other authentication, since whoever can open it can read the whole directory.
 *
 * @param maxLine - longest line that begins like this, bytes.
 * @throws Error of `node:net` when the socket cannot be made.
 */
export async function listenForControl(
  path: string,
  maxLine: (begun: string) => number,
  answer: (line: string) => Promise<string>,
): Promise<ControlListening> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    open.add(connection)
    connection.once("close", () => open.delete(connection))
    connection.setTimeout(TIMEOUT_MS, () => connection.destroy())
    void serve(connection, maxLine, answer).catch(() => connection.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  removeSocket(path)
  server.listen({ path: shorter(path), readableAll: false, writableAll: false })
  await once(server, "listening")
  chmodSync(path, 0o600)
  return {
    async close() {
      const closed = once(server, "close")
      server.close()
      for (const connection of open) connection.destroy()
      await closed
      removeSocket(path)
    },
  }
}

/** What a killed process left behind; the directory belongs to this one. Anything else stays. */
function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path)
}

// The kernel takes 107 bytes for a socket's path.
function shorter(path: string): string {
  const other = relative("", path)
  return other.length < path.length ? other : path
}

async function serve(
  connection: Socket,
  maxLine: (begun: string) => number,
  answer: (line: string) => Promise<string>,
): Promise<void> {
  connection.on("error", () => connection.destroy())
  const line = await readLine(connection, maxLine)
  if (line === null) return void connection.destroy()
  connection.setTimeout(ANSWER_MS)
  connection.end(`${await answer(line)}\n`)
}

/** Sends one line and gives the answer to it. @throws Error of `node:net`, or when it is too long. */
export async function askControlSocket(
  path: string,
  line: string,
  maxAnswer: number,
): Promise<string> {
  const connection = connect(shorter(path))
  connection.setTimeout(TIMEOUT_MS, () => connection.destroy())
  try {
    await once(connection, "connect")
    connection.end(`${line}\n`)
    connection.setTimeout(ANSWER_MS)
    const answer = await readLine(connection, () => maxAnswer)
    if (answer === null) throw new Error("the server closed the connection")
    return answer
  } finally {
    connection.destroy()
  }
}

/** Whether an error says that nobody listens. */
export function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : ""
  return code === "ENOENT" || code === "ECONNREFUSED"
}

/** Whether somebody listens on a socket. @throws Error of `node:net` when it cannot be told. */
export async function isControlled(path: string): Promise<boolean> {
  const connection = connect(shorter(path))
  try {
    await once(connection, "connect")
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  } finally {
    connection.destroy()
  }
}

/** The text up to the first line feed; null when there is none, or not within the bound. */
async function readLine(
  connection: Socket,
  most: (begun: string) => number,
): Promise<string | null> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
    const part = chunk as Buffer
    const end = part.indexOf(0x0a)
    length += end === -1 ? part.length : end
    parts.push(end === -1 ? part : part.subarray(0, end))
    if (length > most(begunWith(parts))) return null
    if (end !== -1) return Buffer.concat(parts).toString("utf8")
  }
  return null
}

function begunWith(parts: readonly Buffer[]): string {
  const [first] = parts
  const begun = (first?.length ?? 0) >= BEGUN ? first : Buffer.concat(parts.slice(0, BEGUN))
  return begun?.toString("latin1", 0, BEGUN) ?? ""
}
