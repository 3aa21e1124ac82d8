/** What the platform's network needs to be told. */
export interface PlatformOptions {
  /** PEM certificates to trust instead of the system's; Node only. */
  readonly ca?: string
}
