// Runs before every npm script, on whatever Node the machine has (20 included), so it is plain
// JavaScript. It installs the locked dependencies, among them the pinned Node 24 that npm then puts
// first on the PATH of the script itself: a shell remembers the first `node` it found, so the
// install cannot be a part of that script.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const OLDEST_NODE = [24, 7]

/** What of the lockfile is not installed as locked; empty when nothing is to be done. */
function missing() {
  const installed = packagesOf("node_modules/.package-lock.json")
  if (!installed) return ["node_modules"]
  const locked = Object.entries(packagesOf("package-lock.json") ?? {})
  return locked
    .filter(([path, entry]) => {
      if (path === "" || entry.link) return false
      const present = installed[path]
      // Optional packages of other platforms are locked and rightly not installed.
      if (!present) return !entry.optional
      return present.version !== entry.version || present.integrity !== entry.integrity
    })
    .map(([path]) => path)
}

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(`${root}${path}`, "utf8")).packages
  } catch {
    return null
  }
}

function install() {
  console.error("Installing the locked dependencies (npm ci) ...")
  const npm = process.env.npm_execpath
  const args = ["ci", "--loglevel=error", "--no-audit", "--no-fund"]
  const result = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ["ignore", "ignore", 2] })
    : spawnSync("npm", args, { cwd: root, stdio: ["ignore", "ignore", 2] })
  if (result.status !== 0) {
    console.error("npm ci failed; the lines above say why. Is the npm registry reachable?")
    process.exit(1)
  }
}

/** The scripts run on the pinned Node where it exists for the platform, else on the machine's. */
function requireNode() {
  if (existsSync(`${root}node_modules/.bin/node`)) return
  const [major, minor] = process.versions.node.split(".").map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return
  console.error(
    `The npm registry has no Node 24 package for ${process.platform}-${process.arch}, and this is ` +
      `Node ${process.versions.node}. Install Node ${OLDEST_NODE.join(".")} or newer from ` +
      "https://nodejs.org and run the same command again.",
  )
  process.exit(1)
}

if (missing().length > 0) install()
requireNode()
