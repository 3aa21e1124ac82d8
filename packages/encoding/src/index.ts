export { type Bytes, compareBytes, concat, equalBytes, fromUtf8, utf8 } from "./bytes.ts"
export {
  bool,
  bytes,
  type Codec,
  constant,
  decode,
  decodeShared,
  encode,
  fixedBytes,
  list,
  mapped,
  nullable,
  numberMap,
  oneOf,
  safeInteger,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
  union,
  type Value,
} from "./codec.ts"
export { type Json, readJson } from "./json.ts"
export { type Field, layoutOf } from "./layout.ts"
export { DecodeError, Reader } from "./reader.ts"
export { fromBase64url, fromHex, toBase64url, toHex } from "./text.ts"
export { Writer } from "./writer.ts"
