import { fileURLToPath } from "node:url"

/** Options of this process's Node that its children need too: where source is, and profiling. */
const INHERITED = ["--conditions=", "--cpu-prof", "--max-old-space-size=", "--enable-source-maps"]

/** Variables that a child needs of the shell that started us: where things are, and no settings. */
const KEPT = ["PATH", "HOME", "TMPDIR", "LANG", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]

/**
 * Arguments for a Node process that runs another file of this package.
 *
 * @param module - path without extension, relative to this file: source in a checkout, JavaScript in
 *   an installed package.
 */
export function nodeArguments(module: string): readonly string[] {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js"
  const options = process.execArgv.filter((option) =>
    INHERITED.some((kept) => option.startsWith(kept)),
  )
  // Without SIGUSR1 nobody can open the debugger of a process that holds secrets.
  return [
    ...options,
    "--disable-sigusr1",
    fileURLToPath(new URL(`${module}.${extension}`, import.meta.url)),
  ]
}

/** The environment of such a process. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const entries = KEPT.map((name) => [name, process.env[name]] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}
