/**
 * The worker's side of the switch: it loads, waits, becomes *the* node at `go`, lets go at `park`, and may become it again. What it proves of
 * itself during its probation it tells the supervisor, which decides. It holds nothing before `go` and after `park`.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { connect } from 'node:tls'
import {
  type Address,
  codeOf,
  type Digest,
  type FromWorker,
  messageOf,
  parseAddress,
  type Running,
  ShoalError,
  type SwitchTarget,
  shortId,
  type ToWorker,
} from '../model/index.ts'
import { type ProbationChecks, type Replica, stand } from '../rollout/index.ts'
import { advertised, dialable, readSlotManifest, slotDir, sweepUnfinished, writeDurable } from '../slots/index.ts'
import { serverNameOf } from '../trust/index.ts'
import { createWeb, Listener, privatePath, type Web } from '../web/index.ts'
import { type LoadedApp, loadApp } from './app-runner.ts'
import { type Home, protectedDigest, readConfig, readHome, Settings, webHosts } from './home.ts'
import type { Log } from './log.ts'
import { wasConfirmed } from './lost-pointer.ts'
import { prereadReplica } from './preread.ts'
import { NodeRuntime } from './runtime.ts'
import { Rehearsal } from './self-proof.ts'
import { webServices } from './services.ts'
import { changedSince, type FirstLook, mendIfDamaged, type SlotState, slotState } from './slot-care.ts'

type Init = Extract<ToWorker, { t: 'init' }>
type Go = Extract<ToWorker, { t: 'go' }>
type Park = Extract<ToWorker, { t: 'park' }>

/** ms that the app may take to end what lasts when the node parks. */
const drainMs = 2000
/** ms in which a request must have arrived whole; an upload may come over a thin line. */
const usualMs = 300_000
const uploadMs = 3_600_000
const uploadPath = '/_shoal/api/v1/packages'
/** ms that a leave waits for its last fact to reach somebody. */
const farewellMs = 1500

export interface WorkerOptions {
  readonly home: string
  readonly send: (message: FromWorker) => void
  readonly exit: (code: number) => void
  readonly log: Log
}

export class Worker {
  readonly #o: WorkerOptions
  readonly #streamEnds = new Set<() => void>()
  readonly #rehearsal: Rehearsal
  #init: Init | null = null
  #home: Home | null = null
  #app: LoadedApp | null = null
  /** What the node knows, as far as this worker has read it already. */
  #replica: Replica | null = null
  /** How the app's slot was met; damaged: it could not be mended from what is here. */
  #appSlot: FirstLook = 'whole'
  /** On trial: the app's slot as it was loaded. */
  #slotState: SlotState | null = null
  #shoal: Running | null = null
  #listener: Listener | null = null
  #web: Web | null = null
  #runtime: NodeRuntime | null = null
  #localToken = ''
  #probation = new AbortController()
  /** The app asked for time until then, by the monotonic clock. */
  #heldUntil = 0
  #private: Awaited<ReturnType<typeof privatePath>> | null = null

  constructor(options: WorkerOptions) {
    this.#o = options
    this.#rehearsal = new Rehearsal(options.send)
  }

  /** Messages are handled one after the other; what fails condemns this worker. */
  async handle(message: ToWorker, handle: unknown): Promise<void> {
    try {
      await this.#handle(message, handle)
    } catch (error) {
      this.#o.log('worker failed', { on: message.t, error: error instanceof Error ? (error.stack ?? '') : String(error) })
      this.#o.send({ t: 'condemn', code: codeOf(error), message: messageOf(error).slice(0, 1000) })
    }
  }

  async #handle(message: ToWorker, handle: unknown): Promise<void> {
    switch (message.t) {
      case 'init':
        return this.#load(message)
      case 'go':
        return this.#go(handle, message)
      case 'connection':
        // undefined: the client left while it travelled.
        if (handle instanceof Socket) this.#listener?.take(handle)
        return
      case 'park':
        return this.#park(message)
      case 'forward':
        this.#listener?.forward(message.path)
        return
      case 'switched':
        this.#trialEnded()
        this.#runtime?.switched(message.last)
        return
      case 'refused':
        this.#runtime?.data.refused(message.code, message.message)
        this.#runtime?.driver.refused(message.code, message.message)
        return
      case 'rehearsed':
        this.#rehearsal.answered(message)
        return
      case 'stop':
        return this.stop(message.graceMs)
    }
  }

  /** Loads modules and the app; holds nothing. @throws ShoalError APP_IMPORT_FAILED, HOME_DAMAGED, INTERNAL */
  async #load(init: Init): Promise<void> {
    this.#init = init
    const { home } = this.#o
    const config = readConfig(home)
    this.#home = readHome(home, webHosts(config))
    const { instance, certs, operators, slots } = this.#home.paths
    await sweepUnfinished([instance, certs, operators, slots])
    this.#shoal = runningOf(home, init.shoal)
    if (init.app !== null && !init.safe) {
      this.#appSlot = await mendIfDamaged(this.#home.paths, init.app, init.trial !== null, this.#o.log)
      if (init.trial?.kind === 'app') this.#slotState = await slotState(this.#home.paths, init.app)
      if (this.#appSlot !== 'damaged') this.#app = await loadApp(home, init.app)
    }
    // Only in a switch does somebody serve meanwhile; else it would be the same work, and a second opening.
    if (init.trial !== null && init.rehearsal !== true) this.#replica = prereadReplica(this.#home, this.#o.log)
    this.#listener = this.#makeListener(this.#home, init)
    await this.#listener.selfTest()
    this.#o.send({ t: 'ready' })
  }

  #makeListener(home: Home, init: Init): Listener {
    const listener = new Listener({
      fleetDomain: `${home.fleet}.shoal`,
      certificates: { node: { key: home.key.key, cert: home.certPem }, ca: [home.caPem], web: home.web },
      ticketKeys: Buffer.from(init.ticketKeys, 'base64'),
      requestMs: req => (req.url === uploadPath ? uploadMs : usualMs),
      onRequest: (req, res, who) => this.#web?.onRequest(req, res, who),
      onUpgrade: (req, socket, head, who) => this.#web?.onUpgrade(req, socket, head, who),
      report: (error, what) => this.#o.log('listener', { what, error: messageOf(error) }),
    })
    listener.onPark(() => {
      for (const end of this.#streamEnds) end()
    })
    return listener
  }

  async #go(handle: unknown, { last, relayedPort }: Go): Promise<void> {
    const { init, home, listener } = this.#loaded()
    const settings = new Settings(home.paths, readConfig(this.#o.home))
    const runtime = await NodeRuntime.open({
      home,
      settings,
      replica: this.#replica,
      app: this.#app,
      isSafe: init.safe || this.#appSlot === 'damaged',
      slots: { app: init.app, shoal: init.shoal, builtIn: init.builtIn },
      isAppDamaged: this.#appSlot === 'damaged',
      isAppMended: this.#appSlot === 'mended',
      shoal: this.#shoalRunning(),
      trial: this.#probation.signal.aborted ? null : init.trial,
      hasLoader: init.hasLoader,
      log: this.#o.log,
      requestSwitch: target => this.#o.send({ t: 'switch', target }),
      onHold: (ms, reason) => this.#hold(ms, reason),
      needTime: (ms, reason) => this.#askForTime(ms, reason),
      giveUp: (code, message) => this.#o.send({ t: 'condemn', code, message: message.slice(0, 1000) }),
    })
    this.#runtime = runtime
    this.#replica = null
    await this.#newToken(home)
    this.#web = createWeb(
      webServices(home, settings, this.#localToken, runtime, this.#lifecycle(), end => this.#onStreamsEnd(end), this.#o.log),
    )
    const forward = await this.#forwardPath(home)
    const port = relayedPort ?? (await listener.listen(handle as object, forward)).port
    if (relayedPort !== undefined) await listener.listenRelayed(forward)
    // First said, then begun: what the node asks of the supervisor at its start, it asks as the one that serves.
    this.#sayListening(settings, port, forward)
    runtime.start(last)
    const { trial } = init
    if (trial !== null && !this.#probation.signal.aborted) void this.#stand(trial, runtime, settings, port, home)
  }

  #sayListening(settings: Settings, port: number, forward: string): void {
    const { host } = parseAddress(advertised(settings.config)[0] ?? settings.config.listen)
    const app = this.#app === null ? 'none' : `${this.#app.running.name}@${this.#app.running.version}`
    const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
    this.#o.send({ t: 'listening', url, forward, app, shoal: this.#shoalRunning().version, id8: shortId(this.#loaded().home.key.id) })
  }

  /** The same for the whole life of this worker: going back must not change where it is reached. */
  async #forwardPath(home: Home): Promise<string> {
    await mkdir(home.paths.run, { recursive: true, mode: 0o700 })
    this.#private ??= await privatePath(home.paths.run)
    return this.#private.path
  }

  async #park({ limitMs, forward }: Park): Promise<void> {
    const { listener } = this.#loaded()
    const runtime = this.#runtime
    this.#trialEnded()
    runtime?.quiet()
    await Promise.all([listener.park(limitMs, forward), runtime?.app?.drain(AbortSignal.timeout(drainMs))])
    await runtime?.close()
    this.#replica = runtime?.knows ?? null
    this.#runtime = null
    this.#o.send({ t: 'parked' })
  }

  /** Drains and ends the process. */
  async stop(graceMs: number): Promise<void> {
    this.#trialEnded()
    this.#runtime?.quiet()
    for (const end of this.#streamEnds) end()
    const limit = AbortSignal.timeout(Math.max(1, graceMs))
    await Promise.all([this.#listener?.close(graceMs), this.#runtime?.app?.drain(limit)])
    await this.#runtime?.close().catch((error: unknown) => this.#o.log('not closed', { error: messageOf(error) }))
    await this.#private?.remove()
    this.#o.exit(0)
  }

  #hold(ms: number, reason: string): void {
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + ms)
    this.#askForTime(ms, reason)
  }

  #askForTime(ms: number, reason: string): void {
    this.#o.send({ t: 'hold', ms: Math.round(ms), reason: reason.slice(0, 200) })
  }

  #trialEnded(): void {
    this.#probation.abort()
  }

  async #stand(trial: SwitchTarget, runtime: NodeRuntime, settings: Settings, port: number, home: Home): Promise<void> {
    const { signal } = this.#probation
    const listen = { host: dialable(parseAddress(settings.config.listen)).host, port }
    const before = runtime.before()
    const checks: ProbationChecks = {
      health: limit => runtime.app?.health(limit) ?? Promise.resolve(),
      port: limit => answersTls(listen, home, limit),
      // What this node itself writes meanwhile is remembered as it is written.
      isUnchanged: () => settings.isChanging || runtime.before().protected === protectedDigest(home.paths),
      linkedBefore: before.linked.filter(id => runtime.replica.fleet.isMember(id)),
      sight: (peer, limit) => runtime.mesh.sight(peer, runtime.addressesOf(peer), limit),
      isLinked: peer => runtime.linked().includes(peer),
      heldUntil: () => this.#heldUntil,
      now: () => performance.now(),
    }
    try {
      const isShoal = trial.kind === 'shoal'
      const proof = isShoal ? runtime.proveSelfUpdate(limit => this.#rehearsal.ask(limit), signal) : Promise.resolve()
      await Promise.all([stand(checks, trial.probationMs, signal), proof])
      await this.#requireSlotAsLoaded(trial, runtime)
      this.#o.send({ t: 'confirm' })
    } catch (error) {
      if (signal.aborted) return
      this.#o.send({ t: 'condemn', code: codeOf(error), message: messageOf(error).slice(0, 1000) })
    }
  }

  /**
   * An app that changes its own files would be mended at each start. One that this node confirmed once is not held back for it: it is a way
   * back, or a restore of its data, and serves with an alarm as it did before.
   * @throws ShoalError APP_CHANGES_ITSELF
   */
  async #requireSlotAsLoaded({ digest }: SwitchTarget, { replica }: NodeRuntime): Promise<void> {
    if (digest === null || this.#slotState === null || wasConfirmed(replica.orders(), replica.self, digest)) return
    const changed = await changedSince(this.#slotState, slotDir(this.#o.home, digest))
    if (changed !== null) throw new ShoalError('APP_CHANGES_ITSELF', `${changed}: an app writes in host.dataDir`)
  }

  #lifecycle(): Parameters<typeof webServices>[4] {
    return {
      stop: () => this.#o.send({ t: 'stop' }),
      restart: () => this.#o.send({ t: 'restart' }),
      leave: async () => {
        const runtime = this.#runtime
        if (runtime === null) return
        runtime.voice.sayFarewell()
        setTimeout(() => this.#o.send({ t: 'stop' }), farewellMs)
        await Promise.resolve()
      },
    }
  }

  #onStreamsEnd(end: () => void): () => void {
    this.#streamEnds.add(end)
    return () => this.#streamEnds.delete(end)
  }

  /** A new secret at each start of the node; readable by the home's owner alone. */
  async #newToken(home: Home): Promise<void> {
    this.#localToken = `shoal-local-${randomBytes(32).toString('base64url')}`
    try {
      await writeDurable(home.paths.localToken, `${this.#localToken}\n`, 0o600)
    } catch (error) {
      // A full disk: the last secret, which only this home's owner can read, serves on.
      const kept = await readFile(home.paths.localToken, 'utf8').catch(() => null)
      if (kept === null) throw error
      this.#localToken = kept.trim()
      this.#o.log('local.token not renewed', { error: messageOf(error) })
    }
  }

  #loaded(): { readonly init: Init; readonly home: Home; readonly listener: Listener } {
    if (this.#init === null || this.#home === null || this.#listener === null) throw new Error('go before init')
    return { init: this.#init, home: this.#home, listener: this.#listener }
  }

  #shoalRunning(): Running {
    if (this.#shoal === null) throw new Error('go before init')
    return this.#shoal
  }
}

function runningOf(home: string, digest: Digest): Running {
  const { name, version } = readSlotManifest(slotDir(home, digest))
  return { name, version, digest }
}

/** One TLS handshake with this node's own port, by the name that pins it. */
function answersTls({ host, port }: Address, home: Home, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, servername: serverNameOf(home.key.id, home.fleet), ca: home.caPem, timeout: 5000 })
    const fail = (error: unknown): void => {
      socket.destroy()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    socket.once('secureConnect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('timeout', () => fail(new Error(`port ${port}: no TLS handshake within 5 s`)))
    socket.once('error', fail)
    signal.addEventListener('abort', () => fail(signal.reason), { once: true })
  })
}
