import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { askControlSocket } from "../adapters/control-socket.ts"
import { FILES } from "../directory/layout.ts"
import { checkOwnerOnlyDirectory } from "../directory/owner-only.ts"
import {
  type ControlAnswer,
  type ControlRequest,
  MAX_CONTROL_ANSWER,
  parseControlAnswer,
} from "./requests.ts"

type AnswerOf<K extends ControlAnswer["kind"]> = Extract<ControlAnswer, { readonly kind: K }>

/**
 * Asks the server that runs over a directory, as its operator.
 *
 * @throws LockKeeperError the server's refusal; `misconfigured` where none runs or the directory is not
 *   the caller's own.
 */
export async function askServer<K extends ControlAnswer["kind"]>(
  directory: string,
  request: ControlRequest,
  kind: K,
): Promise<AnswerOf<K>> {
  checkOwnerOnlyDirectory(directory, "directory")
  const answer = parseControlAnswer(await ask(directory, JSON.stringify(request)))
  if (answer.kind === "refused") {
    const { code, message, field, remedy } = answer
    throw new LockKeeperError(code, message, { field, remedy })
  }
  if (answer.kind !== kind) throw new Error("the server answers another question")
  return answer as AnswerOf<K>
}

async function ask(directory: string, line: string): Promise<string> {
  try {
    return await askControlSocket(join(directory, FILES.control), line, MAX_CONTROL_ANSWER)
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : ""
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      throw new LockKeeperError("misconfigured", `No server runs over "${directory}".`, {
        field: "directory",
        remedy: "Name the directory of a server that runs on this machine.",
        cause,
      })
    }
    throw new LockKeeperError("unavailable", "The server does not answer its operator.", {
      field: "directory",
      remedy: "Try again; if it stays so, start the server anew.",
      cause,
    })
  }
}
