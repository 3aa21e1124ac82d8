import { fileURLToPath } from "node:url"

/** Options of this process's Node that its children take over. */
const INHERITED = /^--(cpu-prof|cpu-prof-dir=.*|max-old-space-size=.*|enable-source-maps)$/

/** Variables that a child needs of the shell that started us: where things are, and no settings. */
const KEPT = ["PATH", "HOME", "TMPDIR", "LANG", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]

/** Whether this file runs as source, in a checkout, and not as built JavaScript. */
const IS_SOURCE = import.meta.url.endsWith(".ts")

/**
 * Arguments for a Node process that runs another file of this package.
 *
 * @param module - path without extension, relative to this file.
 */
export function nodeArguments(module: string): readonly string[] {
  const file = new URL(`${module}.${IS_SOURCE ? "ts" : "js"}`, import.meta.url)
  const inherited = process.execArgv.filter((option) => INHERITED.test(option))
  return [
    // A child of source runs source: otherwise it would load whatever was built last.
    ...(IS_SOURCE ? ["--conditions=lockkeeper-source"] : []),
    ...inherited,
    // Without SIGUSR1 nobody can open the debugger of a process that holds secrets.
    "--disable-sigusr1",
    fileURLToPath(file),
  ]
}

/** The environment of such a process. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const entries = KEPT.map((name) => [name, process.env[name]] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}
