/**
 * What a worker is while it is *the* node: its database, its replica, its links, its app, its rollout driver. Made at `go`, dissolved at `park`;
 * a worker that gets the node back makes a new one. Everything that one of these starts, it ends.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger, RunningApp } from '../app/index.ts'
import type { Mesh, MeshNews } from '../mesh/index.ts'

import {
  type Digest,
  type Fact,
  type LastSwitch,
  type NodeBody,
  type NodeId,
  parseJson,
  parseNodeId,
  asArray,
  type Running,
} from '../model/index.ts'
import { holdTestPackage, PackageStore, testPackage, unpackPackage } from '../packages/index.ts'
import { Replica, RolloutDriver, StatusBoard } from '../rollout/index.ts'
import { readSlotManifest, slotDir, thisPlatform } from '../slots/index.ts'
import { NodeStore } from '../store/index.ts'
import { createPackageServer, fetchPackage, type PackageServer } from '../transfer/index.ts'
import { factSigner } from '../trust/index.ts'
import { EventLog, type LifeState } from '../web/index.ts'
import { confirmData, runApp, safeSwitch } from './app-runner.ts'
import { conditionFor } from './condition.ts'
import { advertised, protectedDigest } from './home.ts'
import type { Log } from './log.ts'
import { openMesh } from './mesh.ts'
import { PeerHttp } from './peer-http.ts'
import { keepRoom } from './room.ts'
import { Reachability } from './reach.ts'
import type { RuntimeOptions } from './runtime-options.ts'
import { proveSelfUpdate } from './self-proof.ts'

/** ms between two looks at the app's health outside a probation. */
const healthIntervalMs = 5000
/** Consecutive failures after which the node says that it is degraded. */
const illAfter = 2

export class NodeRuntime {
  readonly store: NodeStore
  readonly replica: Replica
  readonly mesh: Mesh
  readonly packages: PackageStore
  readonly packageServer: PackageServer
  readonly reach: Reachability
  readonly events: EventLog
  readonly driver: RolloutDriver
  readonly status: StatusBoard
  readonly sign: (fact: Omit<Fact, 'sig'>) => Fact
  readonly #o: RuntimeOptions
  readonly #http: PeerHttp
  #app: RunningApp | null = null
  #healthTimer: NodeJS.Timeout | null = null
  #illness = 0
  #life: LifeState = 'starting'

  /** @throws ShoalError APP_START_FAILED, MIGRATE_FAILED, DATA_NEWER, DISK_FULL */
  static async open(o: RuntimeOptions): Promise<NodeRuntime> {
    const { paths } = o.home
    const reserveBytes = o.settings.config.limits.reserveMb << 20
    const packages = await PackageStore.open({ dir: paths.packages, inbox: paths.inbox, reserveBytes })
    const store = new NodeStore(paths.db)
    const runtime = new NodeRuntime(o, store, packages)
    try {
      await runtime.#startApp()
      return runtime
    } catch (error) {
      store.close()
      throw error
    }
  }

  private constructor(o: RuntimeOptions, store: NodeStore, packages: PackageStore) {
    this.#o = o
    this.store = store
    this.packages = packages
    this.sign = factSigner(o.home.key.key)
    const epoch = store.raiseEpoch()
    this.replica = new Replica({ self: o.home.key.id, epoch, sign: this.sign, store, now: () => performance.now() }, o.home.fleet)
    this.events = new EventLog(epoch * 1_000_000)
    this.reach = new Reachability(
      this.replica,
      () => this.linked(),
      () => performance.now(),
    )
    this.#http = new PeerHttp(o.home, peer => this.addressesOf(peer))
    this.packageServer = createPackageServer({ store: packages, maxUploads: o.settings.config.limits.uploads })
    this.mesh = openMesh(this.replica, o, news => this.#onNews(news))
    this.status = new StatusBoard({
      running: () => this.running(),
      health: () => (o.isSafe ? 'safe-mode' : this.#illness >= illAfter ? 'degraded' : 'ok'),
      publish: body => this.say('status', '', body),
      wallNow: () => new Date(),
    })
    this.driver = this.#makeDriver()
  }

  get app(): RunningApp | null {
    return this.#app
  }

  get life(): LifeState {
    return this.#life
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

  /** Begins to speak: links, facts about itself, orders. */
  start(last: LastSwitch | null): void {
    this.#life = this.#o.isSafe ? 'safe-mode' : 'ok'
    this.mesh.start(`${this.replica.epoch}.${randomBytes(8).toString('hex')}`)
    this.say('node', '', this.about())
    this.saysHoldings()
    holdTestPackage(this.packages).catch((error: unknown) => this.#o.log('no test package', { error: String(error) }))
    if (this.#o.trial === null) confirmData(this.#o.home.paths, this.#o.log)
    this.driver.start(this.#o.trial, last)
    this.status.say()
    this.#healthTimer = setInterval(() => void this.#lookAtHealth(), healthIntervalMs)
  }

  about(left = false): NodeBody {
    const { config } = this.#o.settings
    return {
      name: config.name,
      addresses: advertised(config),
      tags: config.tags,
      platform: thisPlatform(),
      nodejs: process.versions.node,
      console: this.store.remembered('console') === 'true',
      left,
    }
  }

  /** Says a fact of this node's own, unless it is what was said last. */
  say(kind: string, name: string, body: unknown, durable = false): void {
    const fact = this.replica.own(kind, name, body)
    if (fact !== null) this.publish([fact], durable)
  }

  readonly publish = (facts: readonly Fact[], durable: boolean): void => {
    if (facts.length > 0) this.mesh.publish(facts, durable)
  }

  saysHoldings(): void {
    const { digest } = testPackage().ref
    this.say('holdings', '', { packages: this.packages.list().filter(each => each !== digest) })
    this.driver.changed()
  }

  /** The supervisor ended a switch. A worker that took over in it has proven its data version too. */
  switched(last: LastSwitch): void {
    if (last.result === 'confirmed') confirmData(this.#o.home.paths, this.#o.log)
    this.driver.switched(last)
  }

  acceptLink(req: IncomingMessage, socket: Socket, head: Buffer, peer: NodeId): void {
    this.mesh.accept(req, socket, head, peer)
  }

  /** What the next worker has to compare with. */
  rememberBefore(): void {
    this.store.remember(
      'before',
      JSON.stringify({ protected: protectedDigest(this.#o.home.paths), linked: this.linked(), isIll: this.#illness > 0 }),
    )
  }

  /** This node itself wrote config.json: the change is meant, also in the middle of a switch. */
  configChanged(): void {
    const { isIll, linked } = this.before()
    this.store.remember('before', JSON.stringify({ protected: protectedDigest(this.#o.home.paths), linked, isIll }))
  }

  before(): { readonly protected: string; readonly linked: readonly NodeId[]; readonly isIll: boolean } {
    const text = this.store.remembered('before')
    const value = text === undefined ? {} : (parseJson(text, 'before') as { protected?: string; linked?: unknown; isIll?: boolean })
    const linked = asArray(value.linked ?? [], 'before.linked', 20_000).map(id => parseNodeId(id))
    return { protected: value.protected ?? '', linked, isIll: value.isIll ?? false }
  }

  /** This version of Shoal does one update, or throws why it cannot. */
  proveSelfUpdate(rehearse: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    return proveSelfUpdate({
      paths: this.#o.home.paths,
      shoal: this.#o.shoal.digest,
      linkedBefore: this.before().linked,
      linked: () => this.linked(),
      request: this.#http.request,
      rehearse,
      log: this.#o.log,
      signal,
    })
  }

  /** No more orders and links; the database is open until `close`, for what is still in flight. */
  quiet(): void {
    this.#life = 'draining'
    if (this.#healthTimer !== null) clearInterval(this.#healthTimer)
    this.driver.stop()
    this.mesh.park()
  }

  /** Lets go of everything. @throws ShoalError APP_CLOSE_FAILED: the app still holds its data, and this process must end */
  async close(): Promise<void> {
    try {
      await this.#app?.close()
    } finally {
      await this.mesh.stop()
      this.#http.close()
      this.store.close()
    }
  }

  async #startApp(): Promise<void> {
    const { app, home, settings, isSafe, trial, log } = this.#o
    if (app === null || isSafe) return
    const config = settings.config
    this.#app = await runApp({ app, paths: home.paths, trial, config, node: home.key.id, log: appLogger(log) })
  }

  async #lookAtHealth(): Promise<void> {
    if (this.#app === null) return
    const was = this.#illness >= illAfter
    const isIll = await this.#app.health().then(
      () => false,
      () => true,
    )
    this.#illness = isIll ? this.#illness + 1 : 0
    if (was !== this.#illness >= illAfter && this.#life === 'ok') this.status.say()
  }

  #onNews(news: MeshNews): void {
    switch (news.t) {
      case 'store':
        this.store.saveFacts(news.facts, news.durable)
        return
      case 'changed':
        this.#learned(news.facts)
        return
      case 'linkUp':
        this.reach.linkUp(news.peer)
        this.#linksChanged()
        return
      case 'linkDown':
        this.reach.linkDown(news.peer, news.code)
        this.#linksChanged()
        return
      case 'refused':
        this.#o.log('fact refused', {
          from: news.peer,
          kind: news.fact.kind,
          owner: news.fact.owner,
          code: news.code,
          message: news.message,
        })
        return
      case 'alarm':
        this.#o.log('alarm', { ...news.alarm })
        if (news.alarm.alarm === 'ahead' && news.alarm.epoch >= this.replica.epoch) this.#raiseEpoch(news.alarm.epoch)
        return
      case 'synced':
        return
    }
  }

  /** This node lost its memory: its facts must go above what the others hold of it. */
  #raiseEpoch(above: number): void {
    this.replica.raiseEpoch(this.store.raiseEpoch(above + 1))
    this.say('node', '', this.about())
    this.status.say()
    this.saysHoldings()
  }

  #learned(facts: readonly Fact[]): void {
    this.replica.take(facts)
    for (const fact of facts) {
      this.events.add(fact.kind, fact.owner, fact.name)
      if (fact.kind === 'status') this.reach.heard(parseNodeId(fact.owner))
      if (fact.kind === 'links') this.reach.linksChanged()
    }
    this.driver.changed()
  }

  #linksChanged(): void {
    if (this.#life === 'draining') return
    this.say('links', '', { peers: this.linked().toSorted() })
    this.events.add('link', this.replica.self, '')
    this.driver.changed()
  }

  #makeDriver(): RolloutDriver {
    const { home, settings, log } = this.#o
    const condition = {
      paths: home.paths,
      self: home.key.id,
      running: () => this.running(),
      reserveMb: () => settings.config.limits.reserveMb,
      orders: () => this.replica.orders(),
      hasLoader: this.#o.hasLoader,
    }
    return new RolloutDriver({
      replica: this.replica,
      status: this.status,
      publish: this.publish,
      hands: {
        condition: known => conditionFor(known, condition),
        fetch: (ref, signal) => this.#fetch(ref, signal),
        stage: (digest, signal) => this.#stage(digest, signal),
        log: (event, fields) => log(event, fields),
      },
      requestSwitch: target => {
        const safe = safeSwitch(home.paths, target, this.#o.app)
        this.rememberBefore()
        this.#o.requestSwitch(safe)
      },
      running: () => ({ app: this.#o.app?.running.digest ?? null, shoal: this.#o.shoal.digest }),
      hasPackage: digest => this.packages.has(digest),
      isStaged: digest => this.#isStaged(digest),
      isHeld: () => false,
      isLost: node => this.reach.reach(node) === 'lost',
      linked: () => this.linked(),
      runs: () => {
        const hellos = new Map(this.mesh.links().map(l => [l.peer, l.hello]))
        return (peer, kind) => hellos.get(peer)?.[kind]
      },
      platform: thisPlatform(),
      about: () => this.about(),
      fetchPlan: (digest, signal) => this.#http.document(digest, this.linked(), signal),
      now: () => performance.now(),
      wallNow: () => new Date(),
    })
  }

  #isStaged(digest: Digest): boolean {
    try {
      readSlotManifest(slotDir(this.#o.home.paths.home, digest))
      return true
    } catch {
      return false
    }
  }

  async #fetch(ref: Parameters<typeof fetchPackage>[0]['ref'], signal: AbortSignal): Promise<void> {
    const holders = (): readonly NodeId[] => {
      const linked = new Set(this.linked())
      return this.replica.fleet.members().flatMap(m => (linked.has(m.id) ? [m.id] : []))
    }
    const fetched = await fetchPackage({
      ref,
      peers: holders,
      request: this.#http.request,
      store: this.packages,
      rng: Math.random,
      signal,
      onProgress: ({ done, total }) => this.status.progress((done / total) * 100, {}),
      onLiar: peer => this.#o.log('peer sent what is not signed', { peer, digest: ref.digest }),
    })
    this.status.progress(100, { ...fetched, served: this.packageServer.servedBytes() })
    this.saysHoldings()
  }

  async #stage(digest: Digest, signal: AbortSignal): Promise<void> {
    const { home } = this.#o.home.paths
    await keepRoom(home, this.replica, this.packages, digest)
    await unpackPackage(this.packages.path(digest), slotDir(home, digest), { expect: digest, signal })
  }
}

const appLogger = (log: Log): Logger => {
  const at =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, event: string): void =>
      log(event, { level, app: true, ...fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
