import { once } from "node:events"
import { chmodSync, lstatSync, rmSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { relative } from "node:path"

/** Most programs of an operator that may be connected at once; more are turned away. */
const MAX_CONNECTIONS = 8

/** Longest a connection may last, milliseconds. */
const TIMEOUT_MS = 10_000

export interface ControlListening {
  close(): Promise<void>
}

/**
 * Answers one line on each connection to a socket that only the directory's owner can open: there is
 * no other authentication, since whoever can open it can read the whole directory.
 *
 * @throws Error of `node:net` when the socket cannot be made.
 */
export async function listenForControl(
  path: string,
  maxLine: number,
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
  maxLine: number,
  answer: (line: string) => Promise<string>,
): Promise<void> {
  connection.on("error", () => connection.destroy())
  const line = await readLine(connection, maxLine)
  if (line === null) return void connection.destroy()
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
    const answer = await readLine(connection, maxAnswer)
    if (answer === null) throw new Error("the server closed the connection")
    return answer
  } finally {
    connection.destroy()
  }
}

/** The text up to the first line feed; null when there is none, or not within the bound. */
async function readLine(connection: Socket, most: number): Promise<string | null> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
    const part = chunk as Buffer
    const end = part.indexOf(0x0a)
    length += end === -1 ? part.length : end
    if (length > most) return null
    parts.push(end === -1 ? part : part.subarray(0, end))
    if (end !== -1) return Buffer.concat(parts).toString("utf8")
  }
  return null
}
