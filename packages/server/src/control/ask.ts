import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { askControlSocket, isAbsent, isControlled } from "../adapters/control-socket.ts"
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

/** Whether a server answers its operator over this directory. @throws LockKeeperError */
export async function isRunning(directory: string): Promise<boolean> {
  checkOwnerOnlyDirectory(directory, "directory")
  return await isControlled(join(directory, FILES.control))
}

async function ask(directory: string, line: string): Promise<string> {
  try {
    return await askControlSocket(join(directory, FILES.control), line, MAX_CONTROL_ANSWER)
  } catch (cause) {
    if (isAbsent(cause)) {
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
