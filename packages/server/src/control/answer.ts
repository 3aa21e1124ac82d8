import { LockKeeperError, signedCredentialCodec, signedRosterCodec } from "@lockkeeper/api"
import { encode, fromHex, toHex } from "@lockkeeper/encoding"
import type { Incident } from "../incidents/incidents.ts"
import type { KeyServer } from "../key-server.ts"
import type { RosterSuccession } from "../roster-succession.ts"
import type { Turnstile } from "../turnstile.ts"
import {
  type ControlAnswer,
  type IncidentRecord,
  type ParsedRequest,
  parseControlRequest,
  TOLD,
} from "./requests.ts"
import { actOnRoster, isAboutRosters } from "./roster-requests.ts"

/** What an operator's requests are about. */
export interface Controlled {
  readonly turnstile: Turnstile
  readonly succession: RosterSuccession
}

/** Answers one line of an operator's program with one line; never rejects. */
export async function answerControl(controlled: Controlled, line: string): Promise<string> {
  const { turnstile, succession } = controlled
  try {
    const request = parseControlRequest(line)
    const answer = isAboutRosters(request)
      ? await actOnRoster(succession, request)
      : await turnstile.pass((server) => act(server, request))
    return JSON.stringify(answer)
  } catch (error) {
    return JSON.stringify(refusal(error))
  }
}

async function act(
  server: KeyServer,
  request: Exclude<ParsedRequest, { readonly command: `roster.${string}` }>,
): Promise<ControlAnswer> {
  const { incidents, self } = server
  const { quarantined } = incidents
  switch (request.command) {
    case "incidents.list": {
      const listed = incidents.all().map((incident) => recordOf(server, incident))
      return {
        kind: "listed",
        server: self.identifier,
        quarantined: [...quarantined],
        incidents: listed,
      }
    }
    case "incidents.show": {
      const incident = incidents.byNumber(request.number) ?? noIncident()
      const evidence = toHex(await incidents.evidenceOf(incident))
      const signedRoster = toHex(encode(signedRosterCodec, self.signedRoster))
      return { kind: "shown", incident: recordOf(server, incident), evidence, signedRoster }
    }
    case "incidents.clear": {
      const { number, note } = request
      if (incidents.byNumber(number) === null) noIncident()
      if (!(await server.clearIncident(number, note))) throw alreadyCleared()
      return { kind: "cleared", number, quarantined: [...incidents.quarantined] }
    }
    case "operator.certify": {
      const signed = await server.certifyOperator(fromHex(request.publicKey))
      return { kind: "certified", credential: toHex(encode(signedCredentialCodec, signed)) }
    }
  }
}

function recordOf({ incidents, self }: KeyServer, incident: Incident): IncidentRecord {
  const { number, servers, reason, recordedAt, source, pairs, cleared } = incident
  const { members } = self.roster
  const named = servers.map((id) => {
    const { name = "", operator = "" } = members.find((m) => m.identifier === id) ?? {}
    return { server: id, name, operator }
  })
  const state = incidents.stateOf(incident)
  return { number, servers: named, reason, recordedAt, source, state, pairs: [...pairs], cleared }
}

function noIncident(): never {
  throw new LockKeeperError("not-found", "This server has recorded no incident of that number.", {
    field: "number",
    remedy: "See `lockkeeper incidents list --directory`.",
  })
}

function alreadyCleared(): LockKeeperError {
  return new LockKeeperError("conflict", "The incident was cleared before.", { field: "number" })
}

function refusal(error: unknown): ControlAnswer {
  const known = error instanceof LockKeeperError ? error : null
  const code = TOLD.find((one) => one === known?.code) ?? "internal"
  const message = known?.message ?? "The server failed to do this; its log may say more."
  return { kind: "refused", code, message, field: known?.field ?? "", remedy: known?.remedy ?? "" }
}
