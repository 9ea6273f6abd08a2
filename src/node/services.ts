/** What the web room sees of the node: the running one, or nothing while there is none. */
import { X509Certificate } from 'node:crypto'
import { sha256 } from '../trust/index.ts'
import { type Config, type Digest, parseDigest, ShoalError } from '../model/index.ts'
import { advertised, freeBytes, readSlotManifest, runningSupervisor, slotDir } from '../slots/index.ts'
import type { WebServices } from '../web/index.ts'
import { runDoctor } from './doctor.ts'
import { type Home, type Settings } from './home.ts'
import type { Log } from './log.ts'
import { operatorKeyFiles, recoveryKitFile } from './operator-keys.ts'
import { readLog } from './logs.ts'
import type { NodeRuntime } from './runtime.ts'

export interface Lifecycle {
  readonly stop: () => void
  readonly restart: () => void
  readonly leave: () => Promise<void>
}

export function webServices(
  home: Home,
  settings: Settings,
  localToken: string,
  runtime: NodeRuntime,
  lifecycle: Lifecycle,
  streams: WebServices['onStreamsEnd'],
  log: Log,
): WebServices {
  const self = home.key.id
  const changeConfig = async (edit: (config: Config) => Config): Promise<void> => {
    await settings.change(edit, () => runtime.configChanged())
    runtime.mesh.setPinned(settings.config.peers)
    runtime.voice.sayNode()
  }
  return {
    replica: runtime.replica,
    self,
    localToken,
    config: () => settings.config,
    addresses: () => advertised(settings.config),
    life: () => runtime.life,
    running: () => runtime.running(),
    reach: runtime.reach.reach,
    ageMs: runtime.reach.ageMs,
    // On disk before anybody hears of it: a full disk is the answer, and then nothing was said.
    publish: (facts, durable) => {
      runtime.store.saveFacts(facts, durable)
      runtime.voice.publish(facts, durable)
    },
    sign: runtime.sign,
    ca: home.ca,
    caPem: home.caPem,
    webFingerprint: sha256(new X509Certificate(home.web.cert).raw),
    invites: runtime.store,
    people: runtime.store.people,
    audit: runtime.store.audit,
    operatorKeys: operatorKeyFiles(home.paths.operators),
    recoveryKit: recoveryKitFile(home.paths.recoveryKit),
    examine: () => {
      const over = new AbortController()
      const forget = streams(() => over.abort())
      return runDoctor(home.paths.home, over.signal).finally(forget)
    },
    service: async () => (await runningSupervisor(home.paths))?.service ?? '',
    isConsole: () => runtime.voice.about().console,
    packages: runtime.packages,
    freeBytes: () => freeBytes(home.paths.instance),
    servePackage: (req, res, path) => void runtime.packageServer.handle(req, res, path),
    document: (digest: Digest) => runtime.store.document(digest),
    holdingsChanged: () => runtime.voice.sayHoldings(),
    logs: { own: query => readLog(home.paths.nodeLog, query), of: (node, query) => runtime.peerHttp.log(node, query) },
    app: () => {
      const { app } = runtime
      if (app === null) return { handle: null, upgrade: null }
      return { handle: (req, res) => app.handle(req, res), upgrade: (req, socket, head) => app.upgrade(req, socket, head) }
    },
    acceptLink: (req, socket, head, peer) => runtime.acceptLink(req, socket, head, peer),
    probe: (address, expect) => runtime.mesh.probe(address, expect),
    links: () => runtime.mesh.links(),
    slotOf: digest => slotOf(home.paths.home, digest),
    askPeer: (node, path, timeoutMs, parse) => runtime.peerHttp.told(node, path, timeoutMs, parse),
    pin: peer => changeConfig(config => ({ ...config, peers: [...config.peers.filter(p => p.id !== peer.id), peer] })),
    unpin: id => changeConfig(config => ({ ...config, peers: config.peers.filter(p => p.id !== id) })),
    rename: name => changeConfig(config => ({ ...config, name })),
    configFile: () => settings.file(),
    writeConfig: edit => settings.write(edit, () => runtime.configChanged()),
    ...lifecycle,
    backups: runtime.data,
    disk: runtime.room,
    events: runtime.events,
    onStreamsEnd: streams,
    wallNow: () => new Date(),
    log,
  }
}

/** As its manifest says. A slot that is half made, or damaged, has no name to be shown by. */
function slotOf(home: string, digest: string): ReturnType<WebServices['slotOf']> {
  try {
    const { kind, name, version } = readSlotManifest(slotDir(home, parseDigest(digest)))
    return { kind, name: `${name}@${version}` }
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    return { kind: '', name: '' }
  }
}
