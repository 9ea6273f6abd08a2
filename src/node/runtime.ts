/**
 * What a worker is while it is *the* node: its database, its replica, its links, its app, its rollout driver. Made at `go`, dissolved at `park`;
 * a worker that gets the node back makes a new one. Everything that one of these starts, it ends.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { RunningApp } from '../app/index.ts'
import type { Swap } from '../data/index.ts'
import type { Mesh } from '../mesh/index.ts'
import {
  codeOf,
  type Fact,
  type Health,
  type LastSwitch,
  messageOf,
  type NodeId,
  reserveBytesOf,
  type Running,
  type SwitchTarget,
} from '../model/index.ts'
import { holdTestPackage, PackageStore } from '../packages/index.ts'
import { type Replica, type RolloutDriver, saidBefore, StatusBoard } from '../rollout/index.ts'
import { identityOf } from '../slots/index.ts'
import { NodeStore } from '../store/index.ts'
import { createPackageServer, type PackageServer } from '../transfer/index.ts'
import { factSigner } from '../trust/index.ts'
import { EventLog, type LifeState } from '../web/index.ts'
import { confirmData, runApp, safeSwitch, tidyData } from './app-runner.ts'
import { type Alerts, alertsFor } from './alerts.ts'
import { type Before, fairVerdict, recallBefore, rememberBefore } from './before.ts'
import { Clones } from './clones.ts'
import { tellFallenBack } from './fallen-back.ts'
import { GoingBack } from './going-back.ts'
import { HealthWatch } from './health-watch.ts'
import { Hearing } from './hearing.ts'
import { protectedDigest } from './home.ts'
import { DataCare, type SwapAsker } from './data-care.ts'
import { appLogger } from './log.ts'
import { lastConfirmed } from './lost-pointer.ts'
import { Mending } from './mending.ts'
import { openMesh } from './mesh.ts'
import { lenient, type OpenedStore, openStore, Unsaved } from './node-db.ts'
import { PeerHttp } from './peer-http.ts'
import { replicaAtGo } from './preread.ts'
import { Reachability } from './reach.ts'
import { Recall } from './recall.ts'
import { Room } from './room.ts'
import { driverFor } from './rollout-driver.ts'
import { askForTime, askForWayBack, Rehearsals } from './rehearsals.ts'
import type { RuntimeOptions } from './runtime-options.ts'
import { proveSelfUpdate } from './self-proof.ts'
import { Supply } from './supply.ts'
import { Voice } from './voice.ts'

/** ms between tries to write to a disk that refused. */
const writeAgainMs = 3000

export class NodeRuntime {
  readonly store: NodeStore
  readonly replica: Replica
  readonly mesh: Mesh
  readonly packages: PackageStore
  readonly packageServer: PackageServer
  readonly room: Room
  readonly reach: Reachability
  readonly events: EventLog
  readonly driver: RolloutDriver
  readonly data: DataCare
  readonly status: StatusBoard
  readonly voice: Voice
  readonly sign: (fact: Omit<Fact, 'sig'>) => Fact
  readonly #o: RuntimeOptions
  readonly peerHttp: PeerHttp
  readonly #supply: Supply
  readonly #mending: Mending
  readonly #rehearsals: Rehearsals
  readonly #unsaved: Unsaved
  readonly #recall: Recall
  readonly #clones: Clones
  readonly #hearing: Hearing
  readonly #watch: HealthWatch
  readonly #alerts: Alerts
  #app: RunningApp | null = null
  #isFallenBack = false
  #writeTimer: NodeJS.Timeout | null = null
  #life: LifeState = 'starting'

  /** @throws ShoalError APP_START_FAILED, MIGRATE_FAILED, DATA_NEWER, DISK_FULL, DB_LOCKED, DB_DAMAGED */
  static async open(o: RuntimeOptions): Promise<NodeRuntime> {
    const { paths } = o.home
    const reserveBytes = reserveBytesOf(o.settings.config)
    const packages = await PackageStore.open({ dir: paths.packages, inbox: paths.inbox, reserveBytes })
    const opened = openStore(paths.db, o.home.fleet, { mayBeCopy: o.trial === null, isChecked: o.replica !== null }, o.log)
    try {
      const runtime = new NodeRuntime(o, opened, packages)
      await runtime.#startApp()
      return runtime
    } catch (error) {
      opened.store.close()
      throw error
    }
  }

  private constructor(o: RuntimeOptions, opened: OpenedStore, packages: PackageStore) {
    const { store, epoch, isLost } = opened
    this.#o = o
    this.store = store
    this.packages = packages
    this.#unsaved = new Unsaved(store, o.log)
    this.sign = factSigner(o.home.key.key)
    const ofReplica = { self: o.home.key.id, sign: this.sign, store: lenient(store, o.log), now: () => performance.now() }
    this.replica = replicaAtGo(o.replica, opened, ofReplica, o.home.fleet)
    this.#recall = new Recall({ isLost, store, replica: this.replica, peers: o.settings.config.peers.map(p => p.id), log: o.log })
    this.#clones = new Clones({ self: o.home.key.id, now: () => performance.now(), changed: () => this.status.say(), log: o.log })
    this.events = new EventLog(epoch * 1_000_000)
    this.reach = new Reachability(
      this.replica,
      () => this.linked(),
      () => performance.now(),
    )
    this.peerHttp = new PeerHttp(o.home, peer => this.addressesOf(peer))
    this.packageServer = createPackageServer({ store: packages, maxUploads: o.settings.config.limits.uploads })
    this.room = new Room({
      paths: o.home.paths,
      limits: () => o.settings.config.limits,
      packages,
      replica: () => (this.#recall.isLost ? null : this.replica),
      backups: () => this.data.list(),
      holdingsChanged: () => this.voice.sayHoldings(),
      log: o.log,
    })
    this.mesh = openMesh(this.replica, o, news => this.#hearing.heard(news))
    this.voice = new Voice({
      store,
      replica: this.replica,
      recall: this.#recall,
      packages,
      settings: o.settings,
      redeems: o.home.ca !== null,
      linked: () => this.linked(),
      send: (facts, durable) => this.mesh.publish(facts, durable),
      holdingsChanged: () => this.driver.changed(),
    })
    this.status = new StatusBoard(
      {
        running: () => this.running(),
        health: () => this.#health,
        served: () => this.packageServer.servedBytes(),
        publish: body => this.voice.say('status', '', body),
        wallNow: () => new Date(),
      },
      saidBefore(this.replica),
    )
    this.#supply = new Supply({
      home: this.#o.home.paths.home,
      replica: this.replica,
      packages: this.packages,
      room: this.room,
      reserveBytes: () => reserveBytesOf(o.settings.config),
      request: this.peerHttp.request,
      linked: () => this.linked(),
      progress: (percent, bytes) => this.status.progress(percent, bytes),
      holdingsChanged: () => this.voice.sayHoldings(),
      log: this.#o.log,
    })
    this.#hearing = new Hearing({
      store,
      unsaved: this.#unsaved,
      replica: this.replica,
      recall: this.#recall,
      clones: this.#clones,
      reach: this.reach,
      events: this.events,
      voice: this.voice,
      sayStatus: () => this.status.say(),
      changed: () => this.driver.changed(),
      log: o.log,
    })
    const requestSwap: SwapAsker = (target, swap) => this.#requestSwitch({ ...target, linked: this.linked().length }, swap)
    this.data = new DataCare({ ...o, isAppRunning: () => this.#app !== null, requestSwap, memory: store, wallNow: () => new Date() })
    const ofData = { paths: o.home.paths, memory: store, reserveBytes: () => reserveBytesOf(o.settings.config) }
    const goingBack = new GoingBack({ ...ofData, self: o.home.key.id, log: o.log })
    this.#rehearsals = new Rehearsals({
      ...ofData,
      isAppRunning: () => this.#app !== null,
      rehearsed: ms => this.status.rehearsed(ms),
      log: o.log,
    })
    this.driver = driverFor(this, o, {
      supply: this.#supply,
      clones: this.#clones,
      rehearsals: this.#rehearsals,
      goingBack,
      isHealthy: () => !this.#isWithoutApp && !this.#watch.isIll,
      requestSwitch: target => this.#requestSwitch(target, goingBack.swapFor(target)),
    })
    const hopeless = (why: string): void => o.giveUp('APP_UNHEALTHY', why)
    const health = (): Promise<void> => this.#app?.health() ?? Promise.resolve()
    this.#watch = new HealthWatch({ health, changed: () => this.status.say(), hopeless }, o.trial !== null)
    this.#mending = this.#makeMending()
    this.#alerts = alertsFor(this, o.settings, o.log)
  }

  get app(): RunningApp | null {
    return this.#app
  }

  /** For the worker's next time as the node: what is on disk too; null: this one knew less. */
  get knows(): Replica | null {
    return this.store.isCopy || this.#recall.isLost || this.#unsaved.count > 0 ? null : this.replica
  }

  get life(): LifeState {
    return this.#life
  }

  get #health(): Health {
    if (this.#isWithoutApp) return 'safe-mode'
    const isAmiss = this.#recall.isLost || this.#clones.isCloned || this.#isFallenBack || this.#mending.hasDamage
    const isIll = isAmiss || this.#watch.isDegraded || this.store.isCopy || this.#unsaved.count > 0
    return isIll ? 'degraded' : this.replica.holds.of(this.replica.self) === null ? 'ok' : 'held'
  }

  /** There should be an app, and there is none. */
  get #isWithoutApp(): boolean {
    return this.#o.isSafe || (this.#o.app !== null && this.#app === null)
  }

  running(): { readonly app: Running | null; readonly shoal: Running } {
    return { app: this.#o.app?.running ?? null, shoal: this.#o.shoal }
  }

  linked(): readonly NodeId[] {
    return this.mesh.links().map(l => l.peer)
  }

  addressesOf(peer: NodeId): readonly string[] {
    const pinned = this.#o.settings.config.peers.filter(p => p.id === peer).map(p => p.address)
    return [...new Set([...pinned, ...(this.replica.fleet.node(peer)?.addresses ?? [])])]
  }

  /** Begins to speak: links, facts about itself, orders. Whose epoch is not on disk is silent until a worker takes over that has it there. */
  start(last: LastSwitch | null): void {
    this.#life = this.#isWithoutApp ? 'safe-mode' : 'ok'
    if (this.#life === 'safe-mode')
      this.#o.log('alarm', { alarm: 'safe mode: the app stays out', ...this.#o.slots, isAppDamaged: this.#o.isAppDamaged })
    this.store.serve()
    if (this.store.isCopy) {
      this.#waitForDisk()
      return
    }
    if (this.#recall.isLost) {
      this.status.say()
      this.#recall.start(() => this.#speak(last))
    }
    this.mesh.start(`${this.replica.epoch}.${randomBytes(8).toString('hex')}`)
    if (!this.#recall.isLost) this.#speak(last)
  }

  #speak(last: LastSwitch | null): void {
    this.voice.sayNode()
    this.voice.sayHoldings()
    holdTestPackage(this.packages).catch((error: unknown) => this.#o.log('no test package', { error: String(error) }))
    if (this.#o.trial === null) confirmData(this.#o.home.paths, this.#o.log)
    this.driver.start(this.#o.trial, last === null ? null : fairVerdict(last, this.before()))
    if (this.#o.trial?.kind !== 'shoal') this.#isFallenBack = tellFallenBack(this.replica, this.driver, this.#o.shoal)
    this.status.say()
    this.#watch.start()
    this.#alerts.start()
    this.#writeTimer = setInterval(() => {
      this.#unsaved.saveAgain()
      this.status.say()
    }, writeAgainMs)
    if (this.#o.trial === null) this.#mending.start()
    if (this.#o.isSafe && this.#o.slots.app === null) this.#goOnWithoutPointer()
  }

  /** The supervisor ended a switch. A worker that took over in it has proven its data version too. */
  switched(last: LastSwitch): void {
    this.#watch.trialEnded()
    if (last.result === 'confirmed') confirmData(this.#o.home.paths, this.#o.log)
    if (last.result === 'confirmed') this.room.tidy()
    this.driver.switched(fairVerdict(last, this.before()))
  }

  acceptLink(req: IncomingMessage, socket: Socket, head: Buffer, peer: NodeId): void {
    this.mesh.accept(req, socket, head, peer)
  }

  /** This node itself wrote config.json: the change is meant, also in the middle of a switch. */
  configChanged(): void {
    rememberBefore(this.store, { ...this.before(), protected: protectedDigest(this.#o.home.paths) })
  }

  before(): Before {
    return recallBefore(this.store)
  }

  /** This version of Shoal does one update, or throws why it cannot. */
  proveSelfUpdate(rehearse: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    return proveSelfUpdate({
      paths: this.#o.home.paths,
      shoal: this.#o.shoal.digest,
      linkedBefore: this.before().linked,
      linked: () => this.linked(),
      request: this.peerHttp.request,
      rehearse,
      log: this.#o.log,
      signal,
    })
  }

  /** No more orders and links; the database is open until `close`, for what is still in flight. */
  quiet(): void {
    this.#life = 'draining'
    if (this.#writeTimer !== null) clearInterval(this.#writeTimer)
    this.#watch.stop()
    this.#alerts.stop()
    this.voice.stop()
    this.#hearing.stop()
    this.#mending.stop()
    this.data.stop()
    this.room.stop()
    this.#clones.stop()
    this.driver.stop()
    this.mesh.park()
  }

  /** Lets go of everything. @throws ShoalError APP_CLOSE_FAILED: the app still holds its data, and this process must end */
  async close(): Promise<void> {
    try {
      await this.#app?.close()
    } finally {
      await this.mesh.stop()
      this.peerHttp.close()
      this.store.close()
    }
  }

  async #startApp(): Promise<void> {
    const { app, home, settings, isSafe, trial, log, onHold } = this.#o
    await askForWayBack(this.#o)
    if (isSafe) await tidyData(home.paths, log)
    if (app === null || isSafe) return
    const config = settings.config
    askForTime(this.#o, this.store)
    try {
      this.#app = await runApp({ app, paths: home.paths, trial, config, node: home.key.id, log: appLogger(log), onHold })
    } catch (error) {
      // Where the disk takes nothing, an app that needs it is no bad app: 503 until the disk is back.
      if (!this.store.isCopy) throw error
      log('alarm', { alarm: 'the app does not start while the disk refuses', code: codeOf(error), message: messageOf(error) })
    }
  }

  /** The node goes by a copy of node.db: as soon as the disk takes writes, a worker that has the real one takes over. */
  #waitForDisk(): void {
    this.status.say()
    this.#writeTimer = setInterval(() => {
      if (NodeStore.isWritable(this.#o.home.paths.db)) this.#o.giveUp('DISK_FULL', 'node.db takes writes again')
    }, writeAgainMs)
  }

  /** current.json is lost: back to the app that this node confirmed last; without one there is nothing to be careful about. */
  #goOnWithoutPointer(): void {
    const target = lastConfirmed(this.replica.orders(), this.replica.self)
    this.#o.log('alarm', { alarm: 'current.json was lost', app: target?.digest ?? null })
    if (target === null) this.#o.giveUp('SLOT_DAMAGED', 'current.json was lost; this node never confirmed an app')
    else if (target.digest !== null && this.#supply.isStaged(target.digest)) this.#requestSwitch(target)
  }

  #requestSwitch(target: SwitchTarget, swap: Swap | null = null): void {
    this.#rehearsals.interrupt()
    const safe = safeSwitch(this.#o.home.paths, target, this.#o.app, swap)
    const isIll = this.#watch.isIll || this.#isWithoutApp
    rememberBefore(this.store, { protected: protectedDigest(this.#o.home.paths), linked: this.linked(), isIll })
    this.#o.requestSwitch(safe)
  }

  #makeMending(): Mending {
    const { home, slots, isAppDamaged, isAppMended, giveUp, log } = this.#o
    const { pid, began } = identityOf(process.ppid)
    return new Mending({
      home: home.paths.home,
      slots,
      isAppDamaged,
      isAppMended,
      memory: this.store,
      life: `${pid} ${began}`,
      packages: this.packages,
      fetch: (digest, signal) => this.#supply.fetchAgain(digest, signal),
      holdingsChanged: () => this.voice.sayHoldings(),
      damaged: () => this.status.say(),
      mended: message => giveUp('SLOT_DAMAGED', message),
      log,
    })
  }
}
