/** What a command sees of the process: streams, environment, folder, Ctrl-C. Nothing else in this room reads `process`. */
import type { Readable, Writable } from 'node:stream'

export type Input = Readable & { readonly isTTY?: boolean; setRawMode?: (isRaw: boolean) => unknown }
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number }

export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
}

/** Columns of a terminal; some say 0 when they do not know. */
export const columnsOf = (out: Output): number => (out.columns === undefined || out.columns === 0 ? 80 : out.columns)

/** So many Ctrl-C end the process whatever it does. */
const patience = 3

/** The real process, but for what is given. `release` takes the signal handlers off again. */
export function openIo(given: Partial<Io>): { io: Io; release: () => void } {
  const stop = new AbortController()
  let count = 0
  // The first lets the command tidy up; who means it says it again, and again.
  const onSignal = (): void => {
    count += 1
    stop.abort()
    if (count === patience) process.exit(1)
  }
  const watched = given.signal === undefined ? (['SIGINT', 'SIGTERM'] as const) : []
  for (const name of watched) process.on(name, onSignal)
  const io: Io = {
    stdin: given.stdin ?? process.stdin,
    stdout: given.stdout ?? process.stdout,
    stderr: given.stderr ?? process.stderr,
    env: given.env ?? process.env,
    cwd: given.cwd ?? process.cwd(),
    signal: given.signal ?? stop.signal,
  }
  // Whoever reads may leave early (`| head`); that is no failure of the command.
  for (const stream of [io.stdout, io.stderr]) stream.on('error', ignore)
  const release = (): void => {
    for (const name of watched) process.off(name, onSignal)
    for (const stream of [io.stdout, io.stderr]) stream.off('error', ignore)
  }
  return { io, release }
}

const ignore = (): void => undefined
