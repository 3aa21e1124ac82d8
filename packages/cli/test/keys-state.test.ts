import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { toHex } from "@lockkeeper/encoding"
import { EXIT } from "../src/exit-codes.ts"
import type { KeyView } from "../src/owner.ts"
import { run } from "../src/program.ts"
import { setUp } from "./owner-setup.ts"
import { onlyLine } from "./support.ts"

describe("lockkeeper keys suspend, resume and deactivate", () => {
  test("change a key's state, which keys show and keys list then tell", async (t) => {
    const { succeeds, ecdsa } = await setUp(t)
    const keyId = toHex(ecdsa.keyId)
    const all = { keyId, servers: [1, 2, 3], missing: [], needed: 2, effective: true }
    for (const [line, state] of [
      [["suspend", "spending"], "suspended"],
      [["resume", keyId.slice(0, 8)], "active"],
      [["deactivate", "spending", "--yes"], "deactivated"],
    ] as const) {
      const changed = await succeeds(["keys", ...line])
      assert.deepEqual(changed, { ok: true, ...all, state, incidents: [] })
      const { key } = (await succeeds(["keys", "show", "spending"])) as { key: KeyView }
      assert.deepEqual([key.state, key.expiresAt], [state, null])
    }
    const { keys } = await succeeds(["keys", "list"])
    const states = (keys as { state: string }[]).map(({ state }) => state)
    assert.deepEqual(states, ["deactivated", "active", "active"])
  })

  test("say which servers missed it, and end with another code when it is not in effect", async (t) => {
    const { owner, host } = await setUp(t)
    owner.away = [3]
    const most = host()
    assert.equal(await run(["keys", "suspend", "spending"], most), EXIT.ok)
    assert.equal(
      most.out.text,
      "The key is suspended at servers 1, 2; not at 3.\n" +
        "It signs no more once 2 refuse: it is in effect. Run it again when the others are back.\n",
    )
    owner.away = [2, 3]
    const few = host()
    assert.equal(await run(["keys", "suspend", "spending", "--json"], few), EXIT.servers)
    const { ok, effective, servers, missing } = onlyLine(few)
    assert.deepEqual([ok, effective, servers, missing], [false, false, [1], [2, 3]])
    const text = host()
    assert.equal(await run(["keys", "resume", "spending"], text), EXIT.servers)
    assert.match(text.out.text, /It signs with 2 of them: it is not in effect yet\./)
  })

  test("deactivate nothing that was not meant, and no key that is not there", async (t) => {
    const { fails } = await setUp(t)
    await fails(["keys", "deactivate", "spending"], EXIT.usage, "yes", /never signs again/)
    await fails(["keys", "suspend", "nothing"], EXIT.notFound, "key", /no key|No key|not/i)
  })
})
