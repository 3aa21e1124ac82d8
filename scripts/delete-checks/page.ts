/** A row of the table: the file of a check, the check, and the test that notices or why none does. */
export interface Row {
  readonly file: string
  readonly condition: string
  readonly by: string
}

/** Rows in the order of their files; those of one file as they are given. */
function inOrder(rows: readonly Row[]): readonly Row[] {
  return [...rows].sort((a, b) => a.file.localeCompare(b.file))
}

export function pageOf(rows: readonly Row[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|")
  const noticed = rows.filter(({ by }) => by.endsWith(".test.ts")).length
  return [
    "# Deleted checks",
    "",
    "Made by `npm run delete-checks`: every check of threshold ECDSA and of refresh, reshare and repair,",
    "deleted one at a time, and the first test file that fails without it. Where none does, the reason stands instead.",
    "",
    `${rows.length} checks, ${noticed} noticed.`,
    "",
    "| file | check | noticed by |",
    "|---|---|---|",
    ...inOrder(rows).map(
      ({ file, condition, by }) => `| \`${file}\` | \`${cell(condition)}\` | ${cell(by)} |`,
    ),
    "",
  ].join("\n")
}

/** The rows of a page as `pageOf` writes it. */
export function rowsOf(page: string): readonly Row[] {
  return page.split("\n").flatMap((line) => {
    const [, file, condition, by] = /^\| `([^`]+)` \| `(.+)` \| (.+) \|$/.exec(line) ?? []
    if (file === undefined || condition === undefined || by === undefined) return []
    const text = (cell: string) => cell.replaceAll("\\|", "|")
    return [{ file, condition: text(condition), by: text(by) }]
  })
}

/** The rows of before, but for those of files that were tried again. */
export function renewed(before: readonly Row[], tried: readonly Row[]): readonly Row[] {
  const files = new Set(tried.map(({ file }) => file))
  return [...before.filter(({ file }) => !files.has(file)), ...tried]
}
