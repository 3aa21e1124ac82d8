import type { Decoder } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { changeJson } from "./json.ts"
import { ofText } from "./made-of.ts"

const INCIDENT = {
  number: 1,
  servers: [{ server: 2, name: "server-2", operator: "operator-2" }],
  reason: "equivocation",
  recordedAt: 1_735_689_600_000,
  source: "reported",
  state: "quarantined",
  pairs: [1, 2],
  cleared: { at: 5, note: "repaired" },
}

const SHOWN = { evidence: "00ff", signedRoster: "" }

/** What an operator's program and a running server say to each other, a line each. */
export function controlDecoders(inside: Inside): readonly Decoder[] {
  const path = "packages/server/src/control/requests.ts"
  const request = nameIn<(line: string) => object>(inside, path, "parseControlRequest")
  const answer = nameIn<(line: string) => object>(inside, path, "parseControlAnswer")
  const lines = (...values: readonly object[]) => values.map((value) => JSON.stringify(value))
  return [
    ofText({
      name: "control: request",
      samples: lines(
        { command: "incidents.list" },
        { command: "incidents.show", number: 1 },
        { command: "incidents.clear", number: 1, note: "repaired" },
        { command: "operator.certify", publicKey: "5a".repeat(32) },
      ),
      change: changeJson,
      read: (text) => typeof request(text) === "object",
    }),
    ofText({
      name: "control: answer",
      samples: lines(
        { kind: "refused", code: "conflict", message: "no", field: "", remedy: "" },
        { kind: "listed", server: 1, quarantined: [2], incidents: [] },
        { kind: "listed", server: 1, quarantined: [2], incidents: [INCIDENT] },
        { kind: "shown", incident: { ...INCIDENT, cleared: null }, ...SHOWN },
        { kind: "cleared", number: 1, quarantined: [] },
        { kind: "certified", credential: "00ff" },
      ),
      change: changeJson,
      read: (text) => typeof answer(text) === "object",
    }),
  ]
}
