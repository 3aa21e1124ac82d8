import { parseArgs } from "node:util"
import { idOf, judge } from "./harness.ts"
import { Tally } from "./tally.ts"
import { TARGETS } from "./targets.ts"

const t = new Tally()
const { values } = parseArgs({
  options: { protocol: { type: "string" }, case: { type: "string" } },
})
for (const make of TARGETS) {
  const target = make()
  if (values.protocol && !target.protocol.startsWith(values.protocol)) continue
  for (const attack of target.attacks()) {
    if (values.case && !idOf(attack).startsWith(values.case)) continue
    try {
      const r = judge(target, attack)
      if (r.outcome === "failure") console.log(idOf(r), r.why, r.reason)
      t.add(r)
    } catch (e) {
      console.log("CRASH", idOf(attack), e)
    }
  }
}
const rep = t.report()
console.log(JSON.stringify({ ...rep, failures: rep.failures.length }))
