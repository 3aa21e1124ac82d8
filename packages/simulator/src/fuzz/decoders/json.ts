import type { Dice } from "../dice.ts"

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Values as they stand in the text, since some of them no object in memory can hold. */
const RAW: readonly string[] = [
  ...["null", "true", "0", "-0", "-1", "1.5", "1e400", "1e-400", "9007199254740993", '""', "[]"],
  ...["{}", '{"__proto__":{"x":1}}', '{"a":1,"a":2}', '"\\ud800"', '"\\u0000"', '" "', '"0x"'],
  ...["4294967296", "65536", "18446744073709551616", `"${"a".repeat(70_000)}"`, '"__proto__"'],
  ...["115792089237316195423570985008687907853269984665640564039457584007913129639936"],
  ...[`${"[".repeat(100)}${"]".repeat(100)}`, "[".repeat(30_000), `"${"\\u00e9".repeat(300)}"`],
  ...[`[${Array.from({ length: 5000 }, () => "1").join(",")}]`, "01", "'a'", "NaN", "// x", ""],
]

/** Stands for a raw value until the text is written; occurs in no sample. */
const HOLE = "\u0001hole\u0001"

/** JSON with one value, name or member changed. */
export function changeJson(text: string, dice: Dice): string {
  let root: Json
  try {
    root = JSON.parse(text)
  } catch {
    return text
  }
  const places = placesIn(root)
  if (places.length === 0) return dice.one(RAW)
  const { holder, key } = dice.one(places)
  const own = (holder as { [name: string]: Json })[key] as Json
  const other = dice.one(places)
  switch (dice.below(6)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1)
      else delete holder[key]
      break
    case 1:
      if (Array.isArray(holder)) holder.push(own)
      else holder[dice.one([`${key} `, key.toUpperCase(), "extra", "constructor"])] = own
      break
    case 2:
      set(
        holder,
        key,
        structuredClone((other.holder as { [name: string]: Json })[other.key] as Json),
      )
      break
    case 3:
      if (typeof own === "string") set(holder, key, changeString(own, dice))
      else if (typeof own === "number") set(holder, key, own + dice.one([-1, 1, 0.5, 2 ** 31]))
      else set(holder, key, [own])
      break
    default:
      set(holder, key, HOLE)
  }
  return JSON.stringify(root).replaceAll(JSON.stringify(HOLE), () => dice.one(RAW))
}

interface Place {
  readonly holder: Json[] | { [name: string]: Json }
  readonly key: string
}

function placesIn(value: Json): Place[] {
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => [{ holder: value, key }, ...placesIn(part)])
}

function set(holder: Place["holder"], key: string, value: Json): void {
  ;(holder as { [name: string]: Json })[key] = value
}

function changeString(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1)
  const piece = dice.one([
    "",
    "0",
    "[]",
    "[2]",
    "[2147483648]",
    "uint256",
    "bytes33",
    "A",
    " ",
    "é",
  ])
  return text.slice(0, at) + piece + text.slice(at + dice.below(2))
}
