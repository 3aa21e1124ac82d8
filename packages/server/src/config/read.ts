import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import { FILES } from "../directory/layout.ts"
import { checkOwnerOnlyDirectory, readChecked } from "../directory/owner-only.ts"
import { parseConfig, type ServerConfig } from "./schema.ts"

const MAX_CONFIG = 65_536

/** The configuration in a server's directory. @throws LockKeeperError `misconfigured` */
export function readConfig(directory: string): ServerConfig {
  checkOwnerOnlyDirectory(directory, "directory")
  const path = join(directory, FILES.config)
  const text = Buffer.from(readChecked(path, "config", "public", MAX_CONFIG)).toString("utf8")
  let input: unknown
  try {
    input = JSON.parse(text)
  } catch (cause) {
    throw new LockKeeperError("misconfigured", `"${path}" is not JSON.`, {
      field: "config",
      remedy: "Correct it: JSON has no comments and no comma after the last item.",
      cause,
    })
  }
  return parseConfig(input)
}
