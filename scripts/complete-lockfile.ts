/**
 * Completes package-lock.json with the optional packages of other platforms that the registry in use
 * did not have when npm wrote it. npm leaves those out, and `npm ci` then refuses the lockfile.
 *
 *   node scripts/complete-lockfile.ts
 *
 * An entry made here has the version that its parent pins and no digest: npm skips it on every
 * platform but its own, where the installation of that one development tool is then unverified.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { missingOptional } from "./lockfile.ts"

const path = new URL("../package-lock.json", import.meta.url)
const lockfile = JSON.parse(readFileSync(path, "utf8"))

const systems = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
]
// Longest first, so that arm64 is not read as arm.
const processors = {
  mips64el: "mips64el",
  riscv64: "riscv64",
  loong64: "loong64",
  wasm32: "wasm32",
  arm64: "arm64",
  ppc64: "ppc64",
  s390x: "s390x",
  armv7: "arm",
  ia32: "ia32",
  x64: "x64",
  arm: "arm",
}

for (const { name, version, dev } of missingOptional(lockfile.packages)) {
  const system = systems.find((candidate) => name.includes(candidate))
  const processor = Object.entries(processors).find(([word]) => name.includes(word))?.[1]
  if (!processor || !(system || processor === "wasm32") || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(`${name}@${version} is not an exact version of a platform's package`)
  }
  const libc = /-musl/.test(name) ? ["musl"] : /-gnu/.test(name) ? ["glibc"] : undefined
  lockfile.packages[`node_modules/${name}`] = {
    version,
    cpu: [processor],
    ...(dev ? { dev: true } : {}),
    ...(system === "linux" && libc ? { libc } : {}),
    optional: true,
    ...(system ? { os: [system] } : {}),
  }
  console.log(`added ${name}@${version} (${system ?? "any system"}, ${processor})`)
}

const byPath = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
lockfile.packages = Object.fromEntries(Object.entries(lockfile.packages).sort(byPath))
writeFileSync(path, `${JSON.stringify(lockfile, null, 2)}\n`)
