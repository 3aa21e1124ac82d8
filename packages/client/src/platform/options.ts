/** What the platform needs to be told. */
export interface PlatformOptions {
  /** PEM certificates to trust instead of the system's; Node only. */
  readonly ca?: string
  /** Directory for device secrets; Node only. */
  readonly deviceSecrets?: string
}
