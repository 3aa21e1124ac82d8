import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, toHex } from "@lockkeeper/encoding"
import { evmTypedDataDigest } from "@lockkeeper/transactions"

/** The example of EIP-712, whose digest the EIP's own contract and test state. */
const mail = () => ({
  types: {
    EIP712Domain: [
      { name: "name", type: "string" },
      { name: "version", type: "string" },
      { name: "chainId", type: "uint256" },
      { name: "verifyingContract", type: "address" },
    ],
    Person: [
      { name: "name", type: "string" },
      { name: "wallet", type: "address" },
    ],
    Mail: [
      { name: "from", type: "Person" },
      { name: "to", type: "Person" },
      { name: "contents", type: "string" },
    ],
  } as Record<string, { name: string; type: string }[]>,
  primaryType: "Mail",
  domain: {
    name: "Ether Mail",
    version: "1",
    chainId: 1,
    verifyingContract: "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
  } as Record<string, unknown>,
  message: {
    from: { name: "Cow", wallet: "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
    to: { name: "Bob", wallet: "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
    contents: "Hello, Bob!",
  } as Record<string, unknown>,
})
const MAIL_DIGEST = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"

type Mail = ReturnType<typeof mail>

/** A message of one field `x` of a type, for the values that a type takes. */
function one(type: string, value: string): string {
  const types = JSON.stringify({
    EIP712Domain: [{ name: "name", type: "string" }],
    One: [{ name: "x", type }],
  })
  return `{"types":${types},"primaryType":"One","domain":{"name":"d"},"message":{"x":${value}}}`
}

function refused(text: string, what: RegExp, path: string): void {
  assert.throws(
    () => evmTypedDataDigest(text),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error))
      assert.match(error.message, what)
      assert.equal(error.path, path)
      return true
    },
  )
}

test("EIP-712's own example has the digest that the EIP states", () => {
  assert.equal(toHex(evmTypedDataDigest(JSON.stringify(mail()))), MAIL_DIGEST)
  assert.equal(toHex(evmTypedDataDigest(JSON.stringify(mail(), null, 2))), MAIL_DIGEST)
})

test("typed data that is not exactly types, primaryType, domain and message is refused", () => {
  for (const name of ["types", "primaryType", "domain", "message"] as const) {
    const partial: Partial<Mail> = mail()
    delete partial[name]
    refused(JSON.stringify(partial), /missing/, name)
  }
  refused(JSON.stringify({ ...mail(), note: 1 }), /typed data does not have/, "note")
  refused("[]", /not an object/, "")
  refused(JSON.stringify({ ...mail(), types: [] }), /not an object/, "types")
  refused(JSON.stringify({ ...mail(), message: [] }), /not an object/, "message")
})

test("missing and further fields are refused wherever they are", () => {
  const edit = (change: (data: Mail) => void) => {
    const data = mail()
    change(data)
    return JSON.stringify(data)
  }
  refused(
    edit((data) => delete data.message["contents"]),
    /missing/,
    "message.contents",
  )
  refused(
    edit((data) => Object.assign(data.message, { cc: "x" })),
    /the type does not have/,
    "message.cc",
  )
  refused(
    edit((data) => Object.assign(data.message["to"] as object, { age: 1 })),
    /the type does not have/,
    "message.to.age",
  )
  refused(
    edit((data) => delete data.domain["chainId"]),
    /missing/,
    "domain.chainId",
  )
  refused(
    edit((data) => Object.assign(data.domain, { salt: "0x" })),
    /the type does not have/,
    "domain.salt",
  )
  refused(
    edit((data) => Object.assign(data.message, { to: null })),
    /not an object/,
    "message.to",
  )
})

test("a schema with unknown, unused, cyclic, doubled or misnamed types is refused", () => {
  const schema = (types: Mail["types"], primaryType = "Mail") =>
    JSON.stringify({ ...mail(), types: { ...mail().types, ...types }, primaryType })
  const field = (type: string, name = "x") => ({ name, type })

  refused(schema({}, "Nothing"), /none of the types/, "primaryType")
  refused(schema({}, "EIP712Domain"), /none of the types/, "primaryType")
  refused(JSON.stringify({ ...mail(), primaryType: 1 }), /not text/, "primaryType")
  refused(schema({ Mail: {} as never }), /not a list of fields/, "types.Mail")
  refused(schema({ Mail: ["bool x"] as never }), /name and a type/, "types.Mail.0")
  const wide = Array.from({ length: 257 }, (_, i) => field("bool", `x${i}`))
  refused(schema({ Mail: wide }), /not 1 to 256/, "types.Mail")
  refused(schema({ Mail: [field("bool", "x".repeat(129))] }), /no name for a field/, "types.Mail.0")
  refused(schema({ Spare: [field("bool")] }), /nothing uses/, "types.Spare")
  refused(schema({ Mail: [field("Letter")] }), /unknown type/, "types.Mail.0")
  refused(schema({ Mail: [field("EIP712Domain")] }), /unknown type/, "types.Mail.0")
  refused(schema({ Mail: [field("Mail")] }), /contains itself/, "types.Mail")
  refused(schema({ Mail: [field("Mail[]")] }), /contains itself/, "types.Mail")
  refused(
    schema({ Mail: [field("Person")], Person: [field("Mail[2]")] }),
    /contains itself/,
    "types.Mail",
  )
  refused(schema({ Mail: [field("bool"), field("bool")] }), /two fields/, "types.Mail")
  refused(schema({ Mail: [] }), /not 1 to/, "types.Mail")
  refused(schema({ uint8: [field("bool")] }), /no name for a type/, "types.uint8")
  refused(schema({ string: [field("bool")] }), /no name for a type/, "types.string")
  refused(schema({ "A)": [field("bool")] }), /no name for a type/, "types.A)")
  refused(schema({ Mail: [field("bool", "a b")] }), /no name for a field/, "types.Mail.0")
  refused(
    schema({ Mail: [{ ...field("bool"), more: 1 } as never] }),
    /name and a type/,
    "types.Mail.0",
  )
  for (const type of [
    ...["uint", "int", "uint0", "uint7", "uint264", "uint08", "int512", "byte", "bytes0"],
    ...["bytes33", "bytes01", "function", "bool[0]", "bool[01]", "bool[-1]", "bool[", "[]", ""],
    ...["bool ", "bool[] ", `bool${"[]".repeat(9)}`],
  ]) {
    refused(schema({ Mail: [field(type)] }), /unknown type/, "types.Mail.0")
  }
})

test("a domain whose fields are not EIP-712's, in its order and of its types, is refused", () => {
  const types = (fields: { name: string; type: string }[]) =>
    JSON.stringify({ ...mail(), types: { ...mail().types, EIP712Domain: fields } })
  const [name, version, chainId, contract] = mail().types["EIP712Domain"] as [
    never,
    never,
    never,
    never,
  ]
  for (const fields of [
    [version, name, chainId, contract],
    [name, version, { name: "chainId", type: "uint64" }, contract],
    [name, version, chainId, contract, { name: "realm", type: "string" }],
    [name, name],
  ]) {
    assert.throws(() => evmTypedDataDigest(types(fields)), { name: "DecodeError" })
  }
  const { EIP712Domain: _, ...without } = mail().types
  refused(JSON.stringify({ ...mail(), types: without }), /missing/, "types.EIP712Domain")
})

test("values that their type does not hold are refused", () => {
  for (const [type, accepted, ...wrong] of [
    ["bool", "true", "1", '"true"', "null"],
    [
      "uint8",
      "255",
      "256",
      "-1",
      "1.0",
      "1e2",
      "-0",
      '"256"',
      '"-1"',
      '""',
      '" 1"',
      "true",
      "null",
    ],
    ["uint8", '"0xff"', '"0x100"', '"0x"', '"0x01"', '"0XFF"', '"01"', '"1n"', '"+1"', "[]"],
    ["int8", "-128", "-129", "128", '"-129"', '"-0x1"', '"-0"'],
    ["uint256", "9007199254740991", "9007199254740992", "9007199254740993", "1e20"],
    ["uint256", `"${(1n << 256n) - 1n}"`, `"${1n << 256n}"`],
    ["int256", `"${-(1n << 255n)}"`, `"${-(1n << 255n) - 1n}"`, `"${1n << 255n}"`],
    ["bytes", '"0x"', '"0x0"', '"0xzz"', '"00"', '""', "[]", "0"],
    ["bytes4", '"0x01020304"', '"0x010203"', '"0x0102030405"', '"0x"', "1"],
    ["address", `"0x${"ab".repeat(20)}"`, `"0x${"ab".repeat(19)}"`, `"${"ab".repeat(20)}"`, "0"],
    [
      "address",
      '"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"',
      '"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD82a"',
      '"0xcD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"',
    ],
    ["string", '"\\u0000\\"é"', "1", "null"],
    ["uint8[2]", "[1,2]", "[1]", "[1,2,3]", "{}", '"[1,2]"'],
    ["uint8[][1]", "[[1,2]]", "[1]", "[[1],[2]]"],
  ] as const) {
    assert.equal(evmTypedDataDigest(one(type, accepted)).length, 32, `${type} ${accepted}`)
    for (const value of wrong) {
      assert.throws(
        () => evmTypedDataDigest(one(type, value)),
        (error) => error instanceof DecodeError && error.path.startsWith("message.x"),
        `${type} ${value}`,
      )
    }
  }
})

test("text that JSON readers disagree about is refused with its offset", () => {
  const cases: [text: string, what: RegExp][] = [
    [`${JSON.stringify(mail())} x`, /text after the JSON value/],
    [`${JSON.stringify(mail())}{}`, /text after the JSON value/],
    [JSON.stringify(mail()).replace('"contents":', '"to":'), /second member of the same name/],
    [one("uint8", "1").replace('"x":1', '"x":2,"x":1'), /second member of the same name/],
    [one("uint8", "1").replace('"x":1', '"x":2,"\\u0078":1'), /second member of the same name/],
    [one("string", '"\\ud800"'), /lone surrogate/],
    [one("string", '"\n"'), /not JSON|not a JSON string/],
    [one("string", '"\\x41"'), /not a JSON string/],
    [one("uint8", "01"), /without an end/],
    [one("uint8", "1,"), /not a JSON string/],
    [one("uint8", "NaN"), /not JSON/],
    [one("bytes", "'0x'"), /not JSON/],
    ["", /not JSON/],
    ["\ufeff{}", /not JSON/],
    ["[".repeat(70), /nested too deeply/],
  ]
  for (const [text, what] of cases) {
    assert.throws(
      () => evmTypedDataDigest(text),
      (error) => error instanceof DecodeError && what.test(error.message),
      text.slice(0, 200),
    )
  }
  assert.throws(() => evmTypedDataDigest(one("uint8", "nil")), {
    offset: one("uint8", "").length - 2,
  })
})

test("every character of typed data changes the digest or is refused, white space apart", () => {
  const text = JSON.stringify(mail())
  const signs = ["0", "a", '"', "{", "]", ",", "\\", "é"]
  const seen = new Set([MAIL_DIGEST])
  let refusals = 0
  for (let at = 0; at < text.length; at++) {
    assert.throws(() => evmTypedDataDigest(text.slice(0, at)), { name: "DecodeError" })
    for (const sign of signs) {
      if (text[at] === sign) continue
      const changed = text.slice(0, at) + sign + text.slice(at + 1)
      try {
        const digest = toHex(evmTypedDataDigest(changed))
        assert.ok(!seen.has(digest), `the digest stays at ${at}: ${changed}`)
        seen.add(digest)
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error))
        refusals += 1
      }
    }
  }
  assert.ok(refusals > 1000 && seen.size > 100, `${refusals} refusals, ${seen.size} digests`)
})

test("large and wide data stays within its limits", () => {
  const values = (count: number) => `[${Array.from({ length: count }, () => '""').join()}]`
  assert.equal(evmTypedDataDigest(one("string[]", values(4000))).length, 32)
  refused(one("string[]", values(4100)), /too many values/, "message.x.4094")
  assert.equal(evmTypedDataDigest(one("string", JSON.stringify("x".repeat(98_000)))).length, 32)
  const many = Object.fromEntries(
    Array.from({ length: 63 }, (_, i) => [`T${i}`, [{ name: "x", type: "bool" }]]),
  )
  const wide = { ...mail(), types: { ...mail().types, ...many } }
  refused(JSON.stringify(wide), /too many types/, "types")
})
