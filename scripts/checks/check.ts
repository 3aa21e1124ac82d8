import { spawn } from "node:child_process"

/** One thing that `npm run verify` proves of the tree. */
export interface Check {
  readonly name: string
  /** What is proven, for the list that `npm run verify -- --list` prints. */
  readonly proves: string
  /** @param root - absolute path of the tree, without a trailing slash. */
  run(root: string): Promise<Findings>
}

/** Problems fail the check; notes are printed either way. */
export interface Findings {
  readonly problems: readonly string[]
  readonly notes?: readonly string[]
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs one program to its end with the tree's own tools first on the PATH. */
export function execute(
  command: string,
  args: readonly string[],
  options: { cwd: string; timeoutMs?: number; env?: Record<string, string> },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 300_000,
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code: code ?? 1, stdout, stderr }))
  })
}

/** The findings of a tool that says everything by its exit code and its output. */
export async function tool(
  root: string,
  command: string,
  args: readonly string[],
): Promise<Findings> {
  const { code, stdout, stderr } = await execute(command, args, { cwd: root })
  return code === 0
    ? { problems: [] }
    : { problems: [stdout, stderr].filter((text) => text.trim()) }
}
