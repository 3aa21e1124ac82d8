import { X509Certificate } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { agentStatus } from "./agent/remote-session.ts"
import { agentSocket } from "./agent/socket.ts"
import type { Context } from "./command.ts"
import { asLockKeeperError } from "./failure.ts"
import { readRoster } from "./roster-file.ts"
import { withKeeper } from "./session.ts"
import { unknownVariables } from "./settings.ts"
import { duration } from "./text.ts"

/** One finding of `lockkeeper doctor`. */
export interface Finding {
  readonly check: string
  readonly level: "ok" | "warning" | "problem"
  readonly detail: string
  readonly remedy: string
}

type Check = (context: Context) => Promise<Finding | readonly Finding[]>

const OLDEST_NODE = [22, 18] as const

/** Every check, in the order in which one depends on another. A check that throws is a problem. */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ["runtime", async () => checkRuntime(process.versions.node)],
  ["variables", async ({ environment }) => checkVariables(environment)],
  ["profile", async ({ settings }) => checkProfile(settings.home)],
  ["roster", checkRosterFile],
  ["ca", async ({ settings }) => checkAuthority(settings.ca, Date.now())],
  ["agent", checkAgent],
  ["servers", checkServers],
]

export async function examine(context: Context): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [name, check] of CHECKS) {
    try {
      findings.push(...[await check(context)].flat())
    } catch (thrown) {
      const { message, remedy } = asLockKeeperError(thrown)
      findings.push({ check: name, level: "problem", detail: message, remedy })
    }
  }
  return findings
}

export function checkRuntime(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const recent = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])
  if (recent) return ok("runtime", `Node ${version}`)
  const detail = `Node ${version} is older than ${OLDEST_NODE.join(".")}.`
  return { check: "runtime", level: "problem", detail, remedy: "Install Node 24." }
}

export function checkVariables(environment: Context["environment"]): Finding {
  const unknown = unknownVariables(environment)
  if (unknown.length === 0) return ok("variables", "every LK_ variable is known")
  const detail = `Unknown: ${unknown.join(", ")}.`
  const remedy = "Correct the spelling; `lockkeeper --help` lists the variables."
  return { check: "variables", level: "warning", detail, remedy }
}

export function checkProfile(home: string): Finding {
  const stats = statSync(home, { throwIfNoEntry: false })
  if (stats === undefined) return ok("profile", `${home} does not exist yet; defaults apply`)
  const self = process.getuid?.()
  if (self !== undefined && stats.uid !== self) {
    const remedy = "Set LK_HOME to a directory of your own."
    return { check: "profile", level: "problem", detail: `${home} is another user's.`, remedy }
  }
  if ((stats.mode & 0o022) !== 0) {
    const detail = `Others can write to ${home}.`
    return { check: "profile", level: "problem", detail, remedy: `Run: chmod go-w ${home}` }
  }
  return ok("profile", home)
}

async function checkRosterFile({ settings }: Context): Promise<Finding> {
  const { roster, digest } = readRoster(settings.roster, settings.rosterPin)
  const detail = `${roster.minSigners} of ${roster.members.length} servers, digest ${toHex(digest)}`
  if (settings.rosterPin !== null) return ok("roster", `${detail}, as pinned`)
  const remedy = "Set LK_ROSTER_PIN, or rosterPin in config.json, to the digest you were told."
  return { check: "roster", level: "warning", detail: `${detail}, not pinned`, remedy }
}

export function checkAuthority(ca: string | null, now: number): Finding {
  if (ca === null) return ok("ca", "the system's certificate authorities")
  const certificate = new X509Certificate(readFileSync(ca))
  const ends = new Date(certificate.validTo).getTime()
  const problem = (detail: string): Finding => {
    const remedy = "Fetch the current certificate authority, or check this machine's clock."
    return { check: "ca", level: "problem", detail, remedy }
  }
  if (ends < now) return problem(`"${ca}" expired on ${certificate.validTo}.`)
  if (new Date(certificate.validFrom).getTime() > now) {
    return problem(`"${ca}" is not valid before ${certificate.validFrom}.`)
  }
  if (!certificate.ca) return problem(`"${ca}" is no certificate authority.`)
  return ok("ca", `${certificate.subject.replaceAll("\n", ", ")}, until ${certificate.validTo}`)
}

async function checkAgent({ settings, signal }: Context): Promise<Finding> {
  const status = await agentStatus(agentSocket(settings.home), signal)
  if (status === null) return ok("agent", "not running; nobody is logged in")
  return ok("agent", `${status.name} is logged in, ${duration(status.idleLeftMs)} left`)
}

async function checkServers(context: Context): Promise<readonly Finding[]> {
  return await withKeeper(context, async (keeper) => {
    const servers = await keeper.health(context.signal)
    const ready = servers.filter((server) => server.ready).length
    if (ready < keeper.threshold) {
      const message = `${ready} of ${servers.length} servers are ready, ${keeper.threshold} needed.`
      throw new LockKeeperError("not-enough-servers", message, {
        remedy: "Start more of them, or tell their operators.",
      })
    }
    return servers.map(({ identifier, name, ready, detail }) => {
      const check = `server ${identifier} ${name}`
      const remedy = ready
        ? ""
        : "Start it, or tell its operator; others can do its work meanwhile."
      return { check, level: ready ? "ok" : "warning", detail, remedy } as const
    })
  })
}

function ok(check: string, detail: string): Finding {
  return { check, level: "ok", detail, remedy: "" }
}
