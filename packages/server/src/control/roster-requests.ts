import { decodeRoster, encodeRoster } from "@lockkeeper/api"
import { encode, toBase64url, toHex } from "@lockkeeper/encoding"
import { rosterBundleCodec, rosterSignatureCodec } from "../directory/roster-bundle.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import type { RosterSuccession, Succeeded } from "../roster-succession.ts"
import type { ControlAnswer, ParsedRequest } from "./requests.ts"

type RosterRequest = Extract<ParsedRequest, { readonly command: `roster.${string}` }>

export function isAboutRosters(request: ParsedRequest): request is RosterRequest {
  return request.command.startsWith("roster.")
}

/** Does what the operator asks of the server's roster. @throws LockKeeperError */
export async function actOnRoster(
  succession: RosterSuccession,
  request: RosterRequest,
): Promise<ControlAnswer> {
  switch (request.command) {
    case "roster.consent": {
      decodeField("roster", () => decodeRoster(request.roster))
      const consent = await succession.consent(request.roster)
      return { kind: "consented", signature: toHex(encode(rosterSignatureCodec, consent)) }
    }
    case "roster.activate": {
      const bundle = decodeAs("bundle", rosterBundleCodec, request.bundle)
      return activated(await succession.activate(bundle, request))
    }
    case "roster.rotate-channel-key": {
      const { channelKey } = await succession.rotateChannelKey()
      return { kind: "rotated", channelKey: toBase64url(channelKey) }
    }
    case "roster.settle": {
      const { bundle: given } = request
      const bundle = given === null ? null : decodeAs("bundle", rosterBundleCodec, given)
      return activated(await succession.settle(bundle, request))
    }
  }
}

function activated({ before, roster }: Succeeded): ControlAnswer {
  const [from, to] = [before, roster].map((one) => toHex(encodeRoster(one)))
  return { kind: "activated", before: from ?? "", roster: to ?? "" }
}
