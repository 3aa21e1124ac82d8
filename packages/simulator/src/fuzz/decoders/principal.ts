import type { LockKeeperError, SignedRequest } from "@lockkeeper/api"
import { DEFAULT_PATIENCE } from "@lockkeeper/client"
import type { Secret } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { World } from "../../index.ts"
import { ACCOUNT, PASSWORD } from "../harvest.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"

/** The logged-in account, below everything that would put its requests in order. */
export interface Principal {
  request(operation: string, among: readonly number[], body: Bytes): SignedRequest
  /** @throws LockKeeperError as the server refuses. */
  act(
    server: number,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
  ): Promise<{ readonly output: Bytes }>
}

type MakeServers = new (
  trust: object,
  deps: object,
  patience: object,
  onIncident: (incident: object) => void,
) => object
type LogIn = (
  servers: object,
  name: string,
  password: Secret,
  signal: AbortSignal,
  incidents: object,
) => Promise<{ readonly login: object }>

/** Logs the world's account in. To be called while its clock runs. */
export async function principalOf(inside: Inside, world: World): Promise<Principal> {
  const from = <T>(file: string, name: string) =>
    nameIn<T>(inside, `packages/client/src/${file}.ts`, name)
  const trustRoster = from<(roster: Bytes, pin: Bytes) => object>("trust", "trustRoster")
  const Servers = from<MakeServers>("servers", "Servers")
  const IncidentLog = from<new (servers: object) => object>("incidents", "IncidentLog")
  const loginTo = from<LogIn>("login", "loginTo")
  const spellPassword = from<(typed: string) => Secret>("spelling", "spellPassword")
  const Made = from<new (servers: object, login: object) => Principal>("principal", "Principal")
  const { roster, pin } = world.trust
  const ignore = (): LockKeeperError | undefined => undefined
  const trust = trustRoster(roster, pin)
  const servers = new Servers(trust, world.dependenciesFor("stranger"), DEFAULT_PATIENCE, ignore)
  const incidents = new IncidentLog(servers)
  const { signal } = new AbortController()
  const { login } = await loginTo(servers, ACCOUNT, spellPassword(PASSWORD), signal, incidents)
  return new Made(servers, login)
}
