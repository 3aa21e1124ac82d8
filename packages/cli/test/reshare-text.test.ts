import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/api"
import type { ReshareReport } from "@lockkeeper/client/operator"
import { isMoved, movedJson, movedText } from "../src/reshare-text.ts"

const MOVED: ReshareReport = {
  ...{ done: 1, fresh: 0, skipped: [], finished: 0, incidents: [] },
  ...{ missing: new Map(), lingering: new Map(), keeping: new Map(), unanswered: new Map() },
}

test("what moved is said to be all of it only where every server said what it holds", () => {
  assert.equal(isMoved(MOVED), true)
  const silence = new LockKeeperError("unavailable", "The server cannot be reached.")
  const reports: [Partial<ReshareReport>, RegExp][] = [
    [
      { unanswered: new Map([[3, silence]]) },
      /server 3 did not say .*cannot be reached.*run again/,
    ],
    [{ missing: new Map([[2, 4]]) }, /server 2 has no shares of 4 keys.*repair --server 2/],
    [{ lingering: new Map([[2, 1]]) }, /server 2 has still to take its shares of 1 key:/],
    [{ keeping: new Map([[5, 1]]) }, /server 5 has not erased its old shares of 1 key:/],
    [
      { skipped: [{ id: new Uint8Array(32), reason: "unavailable" }] },
      /left where it is: 0{64}: unavailable/,
    ],
  ]
  for (const [change, told] of reports) {
    const report = { ...MOVED, ...change }
    assert.equal(isMoved(report), false)
    assert.match(movedText("keys", report), told)
  }
  const { unanswered } = movedJson("keys", { ...MOVED, unanswered: new Map([[3, silence]]) })
  assert.deepEqual(unanswered, [{ server: 3, code: "unavailable", message: silence.message }])
})
