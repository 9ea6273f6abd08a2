/**
 * Whoever runs the loader as a service. What it tells is in the environment, which is read once and then taken away: neither worker nor app may
 * speak for the node. It is told when the node serves, that it stops, and that the supervisor's event loop lives. Node.js has no
 * datagram sockets of the Unix kind, so `systemd-notify`, which comes with systemd, carries each word (NotifyAccess=all).
 */
import { execFile } from 'node:child_process'
import { notifyDeadlineMs } from './limits.ts'

export interface ServiceManager {
  /** `systemd:shoal`, as its definition says; null: nobody starts this process again but its loader. */
  readonly name: string | null
  /** Descriptor of the port that it holds. */
  readonly socketFd: number | null
  readonly ready: (status: string) => void
  readonly stopping: () => void
}

type Environment = Record<string, string | undefined>

const ours = ['SHOAL_SERVICE', 'SHOAL_LISTEN_FD', 'NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']

/** @param env is changed: what is meant for this process alone goes out of it */
export function serviceManager(env: Environment, say: (line: string) => void): ServiceManager {
  const { SHOAL_SERVICE: name, SHOAL_LISTEN_FD: fd, NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec } = env
  const path = env['PATH'] ?? ''
  for (const key of ours) Reflect.deleteProperty(env, key)
  const tell = socket === undefined || socket === '' ? () => undefined : notifier({ NOTIFY_SOCKET: socket, PATH: path }, say)
  beat(Number(usec), tell)
  return {
    name: name === undefined || name === '' ? null : name,
    socketFd: fd !== undefined && /^\d{1,4}$/.test(fd) ? Number(fd) : null,
    ready: status => tell('READY=1', `STATUS=${status}`),
    stopping: () => tell('STOPPING=1', 'STATUS=draining'),
  }
}

type Tell = (...assignments: readonly string[]) => void

/** One word after the other, so that the last one said is the last one heard. */
function notifier(env: Environment, say: (line: string) => void): Tell {
  let last: Promise<unknown> = Promise.resolve()
  let hasFailed = false
  const run = (assignments: readonly string[]): Promise<void> =>
    new Promise(resolve => {
      execFile('systemd-notify', [...assignments], { env, timeout: notifyDeadlineMs }, error => {
        if (error !== null && !hasFailed) say(`systemd-notify ${assignments.join(' ')}: ${error.message}`)
        hasFailed = error !== null
        resolve()
      })
    })
  return (...assignments) => {
    last = last.then(() => run(assignments))
  }
}

/** From the first moment on: also a supervisor that is started anew in the middle has only so much time to show that it lives. */
function beat(usec: number, tell: Tell): void {
  if (!Number.isFinite(usec) || usec <= 0) return
  tell('WATCHDOG=1')
  setInterval(() => tell('WATCHDOG=1'), Math.max(1, usec / 1000 / 6)).unref()
}
