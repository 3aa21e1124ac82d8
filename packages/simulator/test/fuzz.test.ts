import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { type Codec, DecodeError, encode, list, struct, u8, u16, u32 } from "@lockkeeper/encoding"
import { fuzz, share } from "../src/fuzz/campaign.ts"
import { codecDecoder } from "../src/fuzz/codec-decoders.ts"
import { callsFor } from "../src/fuzz/codecs.ts"
import { type Decoder, REFUSED } from "../src/fuzz/decoder.ts"
import { Dice } from "../src/fuzz/dice.ts"
import { untriedReaders } from "../src/fuzz/hand-written.ts"
import { invent } from "../src/fuzz/invent.ts"

const ROOT = new URL("../../../", import.meta.url)
const FRAMES = 50_000

async function command(...args: readonly string[]): Promise<{ code: number; out: string }> {
  const program = fileURLToPath(new URL("packages/simulator/src/fuzz/main.ts", ROOT))
  const options = { cwd: fileURLToPath(ROOT), maxBuffer: 2 ** 26 }
  const run = promisify(execFile)(
    process.execPath,
    ["-C", "lockkeeper-source", program, ...args],
    options,
  )
  try {
    return { code: 0, out: (await run).stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout + stderr }
  }
}

const pairs = struct({ kind: u8, items: list(struct({ a: u16, b: u32 }), 8) })
const sample = encode(pairs, { kind: 1, items: [{ a: 2, b: 3 }] })

/** The decoder of pairs with something else done before an input is read. */
function spoilt(before: (input: Uint8Array) => void): Decoder {
  const whole = codecDecoder("pairs", pairs as Codec<unknown>, [sample])
  return {
    ...whole,
    read(input) {
      before(input)
      return whole.read(input)
    },
  }
}

describe("the fuzzer", () => {
  it(`finds nothing wrong with any decoder in ${FRAMES} frames, and every decoder took some`, async () => {
    const { code, out } = await command("--frames", String(FRAMES), "--json")
    const last = out.trimEnd().split("\n").at(-1) ?? ""
    assert.equal(code, 0, out.slice(0, 4000))
    const { frames, crashes, hangs, twoEncodings, allocations, ...rest } = JSON.parse(last)
    assert.deepEqual(
      { frames, crashes, hangs, twoEncodings, allocations },
      {
        ...{ frames: FRAMES, crashes: 0, hangs: 0, twoEncodings: 0, allocations: 0 },
      },
    )
    assert.deepEqual(rest.neverAccepted, [])
    assert.ok(rest.corpus >= 4, `${rest.corpus} inputs that once found something`)
    assert.ok(rest.decoders > 350, `${rest.decoders} decoders`)
    assert.ok(rest.changedAccepted > rest.changed / 5, "changed inputs hardly get anywhere")
    for (const name of [
      // Exported by nobody: found by looking into its module.
      "packages/api/src/channel/handshake.ts:helloCodec",
      "trust: evidence",
      "server: signed request in a session",
    ]) {
      const tally = rest.tallies.find(({ decoder }: { decoder: string }) => decoder === name)
      assert.ok(tally?.accepted.changed > 0, name)
    }
  })

  it("finds a crash, and minimises what makes it", async () => {
    const crashing = spoilt((input) => {
      if (input.length > 12 && input[0] === 0xff) throw new TypeError("no such thing")
    })
    const { faults, failures } = await fuzz(crashing, 20_000, "crash")
    assert.ok(faults.crash > 0)
    assert.deepEqual([...(failures[0]?.input ?? [])], [0xff, ...new Array(12).fill(0)])
  })

  it("finds two encodings of one value, in a list's last item too", async () => {
    const lax: Codec<number> = { write: u16.write, read: (reader) => u16.read(reader) & 0x7fff }
    const codec = struct({ items: list(lax, 4) }) as Codec<unknown>
    const samples = [encode(codec, { items: [1, 2, 3] })]
    const { faults } = await fuzz(codecDecoder("lax", codec, samples), 1000, "lax")
    assert.ok(faults["two-encodings"] > 0)
    assert.equal(faults.crash, 0)
  })

  it("finds a hang and an allocation that an input's own length does not explain", async () => {
    const slow = spoilt((input) => {
      if (input.length !== 3) return
      for (const end = performance.now() + 120; performance.now() < end; );
    })
    assert.ok((await fuzz(slow, 100, "slow")).faults.hang > 0)
    const greedy = spoilt((input) => void (input.length === 3 && new Uint8Array(2 ** 27)))
    assert.ok((await fuzz(greedy, 100, "greedy")).faults.allocation > 0)
  })

  it("calls a pause that does not come again no hang", async () => {
    let pauses = 0
    const once = spoilt(() => {
      if (pauses++ > 0) return
      for (const end = performance.now() + 120; performance.now() < end; );
    })
    assert.equal((await fuzz(once, 50, "pause")).faults.hang, 0)
  })

  it("takes typed refusals for what they are, and nothing else", async () => {
    const refusing = spoilt(() => {
      throw new DecodeError("never", 0)
    })
    const tally = await fuzz({ ...refusing, read: () => REFUSED }, 100, "refused")
    assert.deepEqual(tally.accepted, { valid: 0, changed: 0, random: 0 })
    assert.equal((await fuzz(refusing, 100, "thrown")).faults.crash, 0)
  })

  it("makes the same inputs from the same seed, and others from another", async () => {
    const inputs = async (seed: string) => {
      const seen: string[] = []
      const spy = spoilt((input) => seen.push(input.join()))
      await fuzz(spy, 200, seed)
      return seen
    }
    assert.deepEqual(await inputs("1"), await inputs("1"))
    assert.notDeepEqual(await inputs("1"), await inputs("2"))
  })

  it("shares out exactly the frames it was given", () => {
    const decoders = [1, 0.1, 0.3].map((weight) => ({ ...spoilt(() => undefined), weight }))
    for (const frames of [1, 2, 59, 60, 61, 1000]) {
      assert.equal(
        share(decoders, frames).reduce((a, b) => a + b),
        frames,
      )
    }
  })

  it("invents encodings of codecs that nothing was written with", () => {
    const made = invent(pairs as Codec<unknown>, new Map(), new Dice("invent"))
    assert.ok(made !== null && made.length >= 5)
  })

  it("knows what to call a maker of codecs with, or says that it does not", () => {
    assert.deepEqual(callsFor(""), [[]])
    assert.equal(callsFor("group: Group, count: number")?.length, 3)
    assert.equal(callsFor("weather: Weather"), null)
  })

  it("misses decoders of source that reads by itself", () => {
    const untried = untriedReaders(ROOT.href, [])
    assert.ok(untried.includes("packages/protocols/src/ecdsa/der.ts"), untried.join())
  })

  it("refuses options that it does not have", async () => {
    assert.equal((await command("--frame", "1")).code, 2)
    assert.equal((await command("--frames", "none")).code, 2)
  })
})
