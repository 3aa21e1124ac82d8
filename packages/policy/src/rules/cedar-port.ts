/**
 * What is needed of Cedar; `@lockkeeper/policy/cedar` is it, and a browser can give the same
 * functions of `@cedar-policy/cedar-wasm/web`. Each WebAssembly instance is to be one object:
 * preparsed rules are kept in it under names that belong to that object.
 */
export type Cedar = Pick<
  typeof import("@cedar-policy/cedar-wasm/nodejs"),
  "isAuthorized" | "policyToJson" | "preparsePolicySet" | "statefulIsAuthorized" | "validate"
>

/** A Cedar request without its policies. */
export type CedarRequest = Omit<Parameters<Cedar["isAuthorized"]>[0], "policies">

/** What a call came to: Cedar's own answer, or that it gave none. */
export type Called<T> = { readonly answer: T } | { readonly failed: string }

/** Instances whose stack or memory was overrun; nothing that they say can be relied on. */
const broken = new WeakMap<Cedar, string>()

/** Calls Cedar. It throws for what it cannot read, and traps, for good, where it was overrun. */
export function callCedar<T>(cedar: Cedar, call: (cedar: Cedar) => T): Called<T> {
  const before = broken.get(cedar)
  if (before !== undefined) return { failed: `Cedar stopped earlier: ${before}` }
  try {
    return { answer: call(cedar) }
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    const trapped = error instanceof WebAssembly.RuntimeError || error instanceof RangeError
    if (trapped) broken.set(cedar, what)
    return { failed: trapped ? `Cedar stopped: ${what}` : `Cedar: ${what}` }
  }
}
