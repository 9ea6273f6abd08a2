/**
 * Messages between the supervisor and its workers, which may come from different releases. Both sides ignore what they do not know;
 * fields are only ever added.
 */
import { type LastSwitch, parseLastSwitch, parseSwitchTarget, type SwitchTarget } from './current.ts'
import { type Digest, parseDigest } from './ids.ts'
import { maxHoldMs } from './limits.ts'
import { asBoolean, asString, Fields } from './parse.ts'

/** Worker to supervisor. */
export type FromWorker =
  /** Modules are loaded, the app is imported, nothing is held. */
  | { readonly t: 'ready' }
  /** Cannot become the node: at load, at `go`, or in probation. The supervisor goes back. */
  | { readonly t: 'condemn'; readonly code: string; readonly message: string }
  /** Accepts on the handle; `forward` is the path of its private socket. */
  | {
      readonly t: 'listening'
      readonly url: string
      readonly forward: string
      readonly app: string
      readonly shoal: string
      readonly id8: string
    }
  /** Holds nothing of the node any more; keeps its connections. */
  | { readonly t: 'parked' }
  /** Probation is passed: everything that this worker can prove is proven. */
  | { readonly t: 'confirm' }
  | { readonly t: 'switch'; readonly target: SwitchTarget }
  /** On trial as a new Shoal: does the next switch work? The supervisor loads a second worker of the same slots to `ready`, and ends it. */
  | { readonly t: 'rehearse' }
  | { readonly t: 'restart' }
  | { readonly t: 'stop' }
  /** The app asks for time, to start or to become healthy: so many ms from now. */
  | { readonly t: 'hold'; readonly ms: number; readonly reason: string }
  /** Once a second: the event loop lives. */
  | { readonly t: 'beat' }

/** Supervisor to worker. */
export type ToWorker =
  /** First message: which app slot to load, and what for. `ticketKeys`: 48 bytes, base64. */
  | {
      readonly t: 'init'
      readonly app: Digest | null
      readonly shoal: Digest
      readonly builtIn: Digest
      readonly safe: boolean
      readonly trial: SwitchTarget | null
      readonly ticketKeys: string
      /** A loader starts the supervisor again: so a new one can be adopted. */
      readonly hasLoader: boolean
      /** It will never get `go`. */
      readonly rehearsal?: boolean
    }
  /**
   * Become *the* node; the bound, never listening handle travels with the message. `last`: the last switch's end, to be reported.
   * `relayedPort`: no handle comes; the supervisor accepts on this port and sends each connection.
   */
  | { readonly t: 'go'; readonly last: LastSwitch | null; readonly relayedPort?: number }
  /** A connection that the supervisor accepted travels with the message; it may be gone on arrival. */
  | { readonly t: 'connection' }
  /**
   * Stop accepting, finish what is in flight, close the app, keep the connections. `forward`: as the message of this name, where the next worker
   * serves already; it is said again when the worker has parked, for those that do not know it here.
   */
  | { readonly t: 'park'; readonly limitMs: number; readonly forward?: string }
  /** Requests that arrive on kept connections go to this private socket. */
  | { readonly t: 'forward'; readonly path: string }
  /** The switch ended; sent to the worker that is the node now. */
  | { readonly t: 'switched'; readonly last: LastSwitch }
  /** The switch that was asked for was not begun. */
  | { readonly t: 'refused'; readonly code: string; readonly message: string }
  /** The rehearsal's end; `code` is empty if it went well. */
  | { readonly t: 'rehearsed'; readonly code: string; readonly message: string }
  /** Drain and exit within the time. */
  | { readonly t: 'stop'; readonly graceMs: number }

/** null: not a message that this version knows; an ordinary case. */
export function parseFromWorker(value: unknown): FromWorker | null {
  const f = new Fields(value, 'worker message')
  const t = f.string('t', 20)
  switch (t) {
    case 'ready':
    case 'parked':
    case 'confirm':
    case 'restart':
    case 'stop':
    case 'beat':
    case 'rehearse':
      return { t }
    case 'condemn':
      return { t, code: f.string('code', 64), message: f.string('message', 10_000).slice(0, 1000) }
    case 'listening':
      return { t, url: f.string('url'), forward: f.string('forward'), app: f.string('app'), shoal: f.string('shoal'), id8: f.string('id8') }
    case 'hold':
      return { t, ms: f.integer('ms', 0, maxHoldMs), reason: f.string('reason', 10_000).slice(0, 200) }
    case 'switch':
      return { t, target: f.get('target', parseSwitchTarget) }
    default:
      return null
  }
}

export function parseToWorker(value: unknown): ToWorker | null {
  const f = new Fields(value, 'supervisor message')
  const t = f.string('t', 20)
  switch (t) {
    case 'init':
      return {
        t,
        app: f.maybe('app', parseDigest, null),
        shoal: f.get('shoal', parseDigest),
        builtIn: f.get('builtIn', parseDigest),
        safe: f.boolean('safe'),
        trial: f.maybe('trial', parseSwitchTarget, null),
        ticketKeys: f.string('ticketKeys', 200),
        hasLoader: f.maybe('hasLoader', asBoolean, false),
        rehearsal: f.maybe('rehearsal', asBoolean, false),
      }
    case 'go':
      return {
        t,
        last: f.maybe('last', parseLastSwitch, null),
        ...(f.has('relayedPort') && { relayedPort: f.integer('relayedPort', 1, 65_535) }),
      }
    case 'connection':
      return { t }
    case 'park':
      return { t, limitMs: f.integer('limitMs', 0, 600_000), ...(f.has('forward') && { forward: f.string('forward') }) }
    case 'forward':
      return { t, path: f.get('path', asString) }
    case 'switched':
      return { t, last: f.get('last', parseLastSwitch) }
    case 'refused':
    case 'rehearsed':
      return { t, code: f.string('code', 64), message: f.string('message', 10_000) }
    case 'stop':
      return { t, graceMs: f.integer('graceMs', 0, 600_000) }
    default:
      return null
  }
}
