import { appendFileSync, rmSync } from "node:fs"
import { Authority } from "./certificates.ts"
import { type Cluster, freePorts } from "./cluster.ts"
import { clusterLayout, makeServer, passphraseFile, serverDirectory } from "./cluster-files.ts"
import { ServerProcess } from "./server-process.ts"

/**
 * Another key server for a local cluster, in no roster yet and not started: its operators take it in. In
 * place of one of that number that was there, it is made anew, with other keys.
 */
export async function addServer(
  { directory }: Pick<Cluster, "directory">,
  identifier: number,
): Promise<ServerProcess> {
  rmSync(serverDirectory(directory, identifier), { recursive: true, force: true })
  rmSync(passphraseFile(directory, identifier), { force: true })
  const [port = 0] = await freePorts(1)
  // The cluster's own authority has thrown its key away: clients come to trust one more.
  const authority = new Authority(`Lock Keeper local cluster, server ${identifier}`, Date.now())
  appendFileSync(clusterLayout(directory).ca, authority.certificate)
  await makeServer(directory, { identifier, port, authority, allowedOrigins: [] })
  return new ServerProcess(directory, identifier, port)
}

/** Where the passphrase lies that a server's directory is sealed under. */
export function passphraseOf(
  { directory }: Pick<Cluster, "directory">,
  identifier: number,
): string {
  return passphraseFile(directory, identifier)
}
