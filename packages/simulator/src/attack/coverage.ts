import type { Target } from "./harness.ts"

/** What `docs/attack-suite.md` says of the targets, line by line; a test compares the two. */
export function coverageLines(targets: readonly (() => Target)[]): readonly string[] {
  const made = targets.map((make) => make())
  const kinds = (of: "harmless" | "unattributable"): string[] => [
    ...new Set(made.flatMap((target) => target[of].map(({ why }) => `- ${why}`))),
  ]
  return [
    "| protocol | steps |",
    "|---|---|",
    ...made.map(({ protocol, steps }) => `| \`${protocol}\` | ${steps.join(", ")} |`),
    "### Nobody is named",
    ...kinds("unattributable"),
    "### Nothing is wrong",
    ...kinds("harmless"),
  ]
}
