import type { IncomingHttpHeaders } from "node:http"

/** Longest a browser may remember a preflight, seconds. */
const MAX_AGE_S = 600

const ALLOWED_HEADERS = [
  "Content-Type",
  "Connect-Protocol-Version",
  "Connect-Timeout-Ms",
  "Grpc-Timeout",
  "X-Grpc-Web",
  "X-User-Agent",
].join(", ")

const EXPOSED_HEADERS = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"

/** What to answer a request's origin with; null refuses the request. */
export type CorsDecision =
  | { readonly kind: "no-browser" }
  | { readonly kind: "allowed"; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "refused" }

/**
 * Requests from web pages are answered only for configured origins. No credentials: cookies mean
 * nothing here, sessions are keys inside the page.
 */
export function decideCors(
  headers: IncomingHttpHeaders,
  allowedOrigins: readonly string[],
): CorsDecision {
  const { origin } = headers
  if (origin === undefined) return { kind: "no-browser" }
  if (!allowedOrigins.includes(origin)) return { kind: "refused" }
  return {
    kind: "allowed",
    headers: {
      "access-control-allow-origin": origin,
      vary: "Origin",
      "access-control-allow-methods": "POST, GET",
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-expose-headers": EXPOSED_HEADERS,
      "access-control-max-age": String(MAX_AGE_S),
    },
  }
}
