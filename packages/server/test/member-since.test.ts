import assert from "node:assert/strict"
import { test } from "node:test"
import { memberSince } from "../src/self.ts"
import { follow, inTransition, startCluster } from "./memory-cluster.ts"

test("a server is a member since the first roster that lists the identity that it has", async () => {
  const cluster = await startCluster()
  const next = await follow(cluster, inTransition(cluster, [1, 2, 3, 4], 2))
  const [old, young] = [1, 4].map((id) => next.servers.get(id)?.self)
  assert.ok(old && young)
  assert.deepEqual([memberSince(old), memberSince(young)], [1, 2])
  // Another one under its number is as young as its own identity.
  assert.equal(memberSince({ ...old, identity: young.identity }), 2)
})
