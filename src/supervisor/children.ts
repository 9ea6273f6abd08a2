/**
 * Worker processes: starting one from a slot, its messages, its output as lines, its end. Decides nothing. Secrets travel by
 * message only; arguments and environment are readable by others on many systems.
 */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { type Digest, type FromWorker, messageOf, parseFromWorker, ShoalError, type ToWorker } from '../model/index.ts'
import { endGroup, entryOf, markedFor, nodeBinaryOf, slotDir, withGroup } from '../slots/index.ts'
import { LineSplitter } from './line-splitter.ts'

/** What a worker does, told to the driver. */
export interface ChildEvents {
  readonly message: (message: FromWorker) => void
  readonly line: (line: string) => void
  readonly exited: (how: string) => void
}

export interface Child {
  readonly pid: number | undefined
  /** false: its channel is closed, its exit is about to be seen. */
  readonly send: (message: ToWorker, handle?: object) => boolean
  readonly kill: () => void
}

/** Output that is still on its way when the exit is seen. */
const lastOutputMs = 200

/** @throws ShoalError HOME_DAMAGED if the slot has no entry */
export function startWorker(home: string, shoal: Digest, events: ChildEvents): Child {
  const dir = slotDir(home, shoal)
  const entry = entryOf(dir)
  if (entry === null) throw new ShoalError('HOME_DAMAGED', `${dir}: the slot has no src/entry.ts`)
  const child = fork(entry, ['work', '--home', home], {
    cwd: home,
    execPath: nodeBinaryOf(dir) ?? process.execPath,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...withGroup,
    env: markedFor(home),
    serialization: 'json',
  })
  listenTo(child, events)
  return {
    pid: child.pid,
    send: (message, handle) => {
      if (!child.connected) return false
      child.send(message, handle as SendHandle | undefined, () => undefined)
      return true
    },
    kill: () => endGroup(child),
  }
}

function listenTo(child: ChildProcess, events: ChildEvents): void {
  for (const stream of [child.stdout, child.stderr]) {
    const lines = new LineSplitter(events.line)
    stream?.on('data', (bytes: Buffer) => lines.push(bytes))
    stream?.on('end', () => lines.end())
  }
  child.on('message', value => {
    try {
      const message = parseFromWorker(value)
      if (message !== null) events.message(message)
    } catch (error) {
      events.line(`supervisor: a message that cannot be read: ${messageOf(error)}`)
    }
  })
  let isOver = false
  const over = (how: string): void => {
    if (isOver) return
    isOver = true
    events.exited(how)
  }
  child.on('error', error => over(`cannot be started: ${messageOf(error)}`))
  child.on('exit', (code, signal) => {
    endGroup(child) // what the app left behind
    const closed = once(child, 'close').catch(() => undefined)
    void Promise.race([closed, wait(lastOutputMs)]).then(() =>
      over(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`),
    )
  })
}
