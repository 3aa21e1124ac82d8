/** One number, told apart from others of its family by labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What is measured: everything under one name. */
export interface Family {
  /** Counters end in `_total`. */
  readonly name: string
  readonly type: "counter" | "gauge"
  /** One line. */
  readonly help: string
  readonly samples: readonly Sample[]
}

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/** The Prometheus text format 0.0.4, which OpenMetrics scrapers read too. */
export function exposition(families: readonly Family[]): string {
  const lines = families.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => `${name}${labelled(labels)} ${value}`),
  ])
  return `${lines.join("\n")}\n`
}

function labelled(labels: Sample["labels"]): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
}
