import { fileURLToPath } from "node:url"

/**
 * A shell line, indented and ended, that makes `lockkeeper` this command from any directory; empty
 * where it is installed. In a checkout `npx lockkeeper` does so in that directory only: elsewhere npm
 * offers to run whatever a stranger may have published under the name.
 */
export function commandAlias(): string {
  if (!import.meta.url.endsWith(".ts")) return ""
  const [node, main] = ["../../../node_modules/.bin/node", "main.ts"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  return `  alias lockkeeper='"${node}" -C lockkeeper-source "${main}"'\n`
}
