/**
 * Deletes every check of a room, one at a time, and says which test noticed.
 *
 *   npm run delete-checks                      the rooms below, and writes docs/deleted-checks.md
 *   npm run delete-checks -- ot/rvole          only files whose path contains one of the words, whose
 *                                              rows of the page are written anew
 *
 * A check that no test misses is a failure, unless `unnoticed` says why nothing can notice it.
 */
import { spawn } from "node:child_process"
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { type Deletion, findChecks } from "./delete-checks/find.ts"
import { pageOf, type Row, renewed, rowsOf } from "./delete-checks/page.ts"
import { unnoticed } from "./delete-checks/unnoticed.ts"

/** Rooms whose checks are deleted, and the tests that must notice. */
const rooms = [
  {
    sources: "packages/protocols/src/dkls/**/*.ts",
    tests: "packages/protocols/test/*dkls*.test.ts",
  },
  {
    sources: "packages/protocols/src/evidence/dkls-*.ts",
    tests: "packages/protocols/test/*dkls*.test.ts",
  },
  {
    sources: "packages/protocols/src/ecdsa/*.ts",
    tests: "packages/protocols/test/ecdsa*.test.ts",
  },
  {
    sources: "packages/protocols/src/{reshare,repair,sharing}/*.ts",
    tests: "packages/protocols/test/{reshare,repair}-*.test.ts",
  },
  {
    sources: "packages/protocols/src/evidence/{reshare,repair}-*.ts",
    tests: "packages/protocols/test/{evidence,reshare,repair}-*.test.ts",
  },
  {
    sources: "packages/protocols/src/{accusations,judged,evidence/authentic}.ts",
    tests: "packages/protocols/test/{*dkls*,dkg-*,evidence-*,repair-*,reshare-*}.test.ts",
  },
] as const

const page = "docs/deleted-checks.md"

/** A test that runs longer than this hangs, which is a way to notice, milliseconds. */
const patienceMs = 180_000

interface Job extends Deletion {
  readonly path: string
  readonly source: Buffer
  /** As they are tried; shared by the checks of a file, so that the last one to notice goes first. */
  readonly tests: string[]
}

interface Result extends Job {
  readonly noticedBy: string | null
}

const root = new URL("..", import.meta.url)
const words = process.argv.slice(2)

const jobs: Job[] = rooms.flatMap(({ sources, tests }) => {
  const found = globSync(tests, { cwd: root }).sort()
  return globSync(sources, { cwd: root })
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort()
    .flatMap((path) => {
      const source = readFileSync(new URL(path, root))
      const nearest = [...found].sort((a, b) => wordsShared(path, b) - wordsShared(path, a))
      return findChecks(source).map((check) => ({ ...check, path, source, tests: nearest }))
    })
})

const results: Result[] = []
let next = 0
async function work(): Promise<void> {
  for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) {
    const noticedBy = await firstToNotice(job)
    results.push({ ...job, noticedBy })
    const mark = noticedBy ?? `NOT NOTICED${reasonOf(job) === null ? "" : " (explained)"}`
    console.log(`${results.length}/${jobs.length} ${job.path}:${job.line} ${mark}`)
  }
}
await Promise.all(Array.from({ length: Math.max(1, cpus().length) }, work))

const missed = results.filter((result) => result.noticedBy === null)
const unexplained = missed.filter((result) => reasonOf(result) === null)
const before = words.length === 0 ? [] : rowsOf(readFileSync(new URL(page, root), "utf8"))
writeFileSync(new URL(page, root), pageOf(renewed(before, rowsInOrder(results))))
for (const { path, line, condition } of unexplained) {
  console.log(`nothing notices: ${path}:${line} ${condition}`)
}
console.log(
  `checks deleted: ${results.length}, noticed: ${results.length - missed.length}, ` +
    `explained: ${missed.length - unexplained.length}, unnoticed: ${unexplained.length}`,
)
process.exitCode = unexplained.length === 0 && results.length > 0 ? 0 : 1

/** How many words of their names a source and a test share: those tests are tried first. */
function wordsShared(source: string, test: string): number {
  const wordsOf = (path: string) => path.split("/").slice(3).join("-").split(/[-./]/)
  const nameOf = (path: string) => path.split("/").at(-1)?.split(/[-.]/) ?? []
  return nameOf(test).filter((word) => word !== "ts" && wordsOf(source).includes(word)).length
}

async function firstToNotice(job: Job): Promise<string | null> {
  for (const test of [...job.tests]) {
    if (!(await fails(job, test))) continue
    job.tests.splice(job.tests.indexOf(test), 1)
    job.tests.unshift(test)
    return test
  }
  return null
}

/** Whether a test fails without the check. Its process ends with the first failure. */
function fails({ path, source, start, end, replacement }: Job, test: string): Promise<boolean> {
  const file = pathToFileURL(new URL(path, root).pathname).href
  const preload = new URL("delete-checks/without.ts", import.meta.url).href
  const child = spawn(
    process.execPath,
    [
      ...["-C", "lockkeeper-source", "--import", preload, "--test-reporter=tap"],
      new URL(test, root).pathname,
    ],
    {
      cwd: root,
      stdio: ["pipe", "pipe", "ignore"],
      timeout: patienceMs,
      env: { ...process.env, LOCKKEEPER_WITHOUT: file },
    },
  )
  // The source as it was read, so that the file may change meanwhile.
  const without = [source.subarray(0, start), Buffer.from(replacement), source.subarray(end)]
  child.stdin.on("error", () => undefined)
  child.stdin.end(Buffer.concat(without))
  return new Promise((resolve, reject) => {
    let failed = false
    createInterface(child.stdout).on("line", (line) => {
      if (!/^\s*not ok /.test(line)) return
      failed = true
      child.kill("SIGKILL")
    })
    child.once("error", reject)
    child.once("exit", (code) => resolve(failed || code !== 0))
  })
}

function reasonOf({ path, condition }: Job): string | null {
  return (
    unnoticed.find((known) => path.endsWith(known.path) && known.condition === condition)?.why ??
    null
  )
}

function rowsInOrder(all: readonly Result[]): readonly Row[] {
  const ordered = [...all].sort((a, b) => a.path.localeCompare(b.path) || a.start - b.start)
  return ordered.map((result) => ({
    file: result.path.replace("packages/protocols/src/", ""),
    condition: result.condition,
    by: result.noticedBy?.replace("packages/protocols/test/", "") ?? reasonOf(result) ?? "nothing",
  }))
}
