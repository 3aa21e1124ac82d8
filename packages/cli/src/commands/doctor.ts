import { examine } from "../checks.ts"
import { type AddCommands, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { withProgress } from "../terminal.ts"

/** `lockkeeper doctor`: everything on this side that could be wrong, and what to do about it. */
export const addDoctor: AddCommands = (add) =>
  add({
    usage: "doctor",
    summary: "Check this machine, its settings, the agent and the servers",
    examples: ["lockkeeper doctor", "lockkeeper doctor --json"],
    async run(context) {
      const findings = await withProgress(context.terminal, "Checking", () => examine(context))
      const problems = findings.filter(({ level }) => level === "problem").length
      const marks = { ok: "ok      ", warning: "warning ", problem: "PROBLEM " }
      const lines = findings.map(({ check, level, detail, remedy }) => {
        const action = remedy === "" ? "" : `\n          what to do: ${remedy}`
        return `${marks[level]}  ${check}: ${detail}${action}\n`
      })
      const count = problems === 1 ? "1 problem" : `${problems} problems`
      const warned = findings.some(({ level }) => level === "warning")
      const good = warned ? "Nothing is broken; see the warnings.\n" : "Nothing is wrong.\n"
      const verdict = problems === 0 ? good : `${count} found.\n`
      const code = problems === 0 ? EXIT.ok : EXIT.verification
      return report(lines.join("") + verdict, { problems, findings }, code)
    },
  })
