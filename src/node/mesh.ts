/** interim */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { connect as tcp } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import { type Effect, formatFrame, type LinkView, MeshCore, type MeshEvent, parseFrame } from '../mesh/core/index.ts'
import { type Address, type Fact, type NodeId, parseAddress, type PinnedPeer } from '../model/index.ts'
import type { PeerSight, Replica } from '../rollout/index.ts'
import { nodeOfCertificate, serverNameOf } from '../trust/index.ts'
import type { ProbeStep } from '../web/index.ts'
import type { RuntimeOptions } from './runtime.ts'

export type { Effect }
export interface Mesh {
  start(nonce: string): void
  publish(facts: readonly Fact[], durable: boolean): void
  links(): readonly LinkView[]
  accept(req: IncomingMessage, socket: Socket, head: Buffer, peer: NodeId): void
  setPinned(peers: readonly PinnedPeer[]): void
  park(): void
  stop(): Promise<void>
  probe(address: Address, expect: NodeId | null): Promise<{ id: NodeId | null; steps: ProbeStep[] }>
  sight(peer: NodeId, addresses: readonly string[], signal: AbortSignal): Promise<PeerSight>
}

export function openMesh(replica: Replica, o: RuntimeOptions, onEffect: (e: Effect) => void): Mesh {
  const { home } = o
  const core = new MeshCore({
    node: home.key.id, fleet: home.fleet, registers: replica.registers, judge: replica.judge, isMember: id => replica.fleet.isMember(id), rng: Math.random,
    runs: { app: o.app?.running.digest ?? null, shoal: o.shoal.digest, trial: o.trial?.order ?? null }, pinned: o.settings.config.peers,
  })
  const sockets = new Map<number, WebSocket>()
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1 << 20, handleProtocols: p => (p.has('shoal.mesh.v1') ? 'shoal.mesh.v1' : false) })
  let next = 1
  let timer: NodeJS.Timeout | null = null
  let stopped = false
  const handle = (event: MeshEvent): void => {
    if (stopped) return
    const effects = core.handle(event, performance.now())
    for (const e of effects) run(e)
  }
  const run = (e: Effect): void => {
    if (e.t === 'dial') dial(e.peer, e.address)
    else if (e.t === 'send') sockets.get(e.link)?.send(formatFrame(e.frame))
    else if (e.t === 'ping') sockets.get(e.link)?.ping()
    else if (e.t === 'close') sockets.get(e.link)?.close(e.code)
    else if (e.t === 'terminate') sockets.get(e.link)?.terminate()
    else if (e.t === 'wake') {
      if (timer) clearTimeout(timer)
      timer = setTimeout(() => handle({ t: 'wake' }), Math.max(0, e.atMs - performance.now()))
    } else onEffect(e)
  }
  const wire = (ws: WebSocket, peer: NodeId, dialled: boolean): void => {
    const link = next++
    sockets.set(link, ws)
    ws.on('error', () => undefined)
    ws.on('message', data => {
      const f = parseFrame(String(data))
      if (f !== null) handle({ t: 'frame', link, frame: f })
    })
    ws.on('pong', () => handle({ t: 'alive', link }))
    ws.on('close', code => {
      sockets.delete(link)
      handle({ t: 'closed', link, code })
    })
    handle({ t: 'opened', link, peer, dialled })
  }
  const dial = (peer: NodeId, address: string): void => {
    const ws = new WebSocket(`wss://${address}/_shoal/mesh`, 'shoal.mesh.v1', {
      key: home.key.key, cert: home.certPem, ca: home.caPem, servername: serverNameOf(peer, home.fleet), ALPNProtocols: ['shoal/1'], minVersion: 'TLSv1.3', perMessageDeflate: false, handshakeTimeout: 8000,
    } as never)
    let isOpen = false
    ws.on('error', () => undefined)
    ws.on('open', () => {
      isOpen = true
      wire(ws, peer, true)
    })
    ws.on('close', () => {
      if (!isOpen) handle({ t: 'dialFailed', peer })
    })
  }
  const probe: Mesh['probe'] = (address, expect) => new Promise(done => {
    const steps: ProbeStep[] = []
    let id: NodeId | null = null
    const fail = (step: string, message: string): void => { steps.push({ step, ok: false, message }); done({ id, steps }) }
    const s = tcp({ host: address.host, port: address.port, timeout: 3000 })
    s.on('error', e => fail('tcp', e.message))
    s.on('timeout', () => { s.destroy(); fail('tcp', 'timeout') })
    s.on('connect', () => {
      steps.push({ step: 'tcp', ok: true, message: '' })
      s.destroy()
      const x = tlsConnect({ host: address.host, port: address.port, servername: expect === null ? `x.${home.fleet}.shoal` : serverNameOf(expect, home.fleet), ca: home.caPem, cert: home.certPem, key: home.key.key, ALPNProtocols: ['shoal/1'], minVersion: 'TLSv1.3', timeout: 3000, ...(expect === null ? { checkServerIdentity: () => undefined } : {}) })
      x.on('error', e => fail('tls', e.message))
      x.on('secureConnect', () => {
        try { id = nodeOfCertificate(x.getPeerX509Certificate()?.raw ?? new Uint8Array(), home.fleet) } catch (e) { return fail('identity', String(e)) } finally { x.destroy() }
        steps.push({ step: 'tls', ok: true, message: '' })
        done({ id, steps })
      })
    })
  })
  return {
    start: nonce => handle({ t: 'start', nonce }),
    publish: (facts, durable) => handle({ t: 'publish', facts, durable }),
    links: () => core.links(),
    accept: (req, socket, head, peer) => wss.handleUpgrade(req, socket, head, ws => wire(ws, peer, false)),
    setPinned: peers => handle({ t: 'pinned', peers }),
    park: () => handle({ t: 'park' }),
    stop: async () => { stopped = true; if (timer) clearTimeout(timer); for (const ws of sockets.values()) ws.terminate() },
    probe,
    sight: async (peer, addresses) => {
      let best: PeerSight = 'unreachable'
      for (const a of addresses) {
        const p = await probe(parseAddress(a), peer)
        if (p.steps.some(s => s.step === 'tls' && s.ok)) return 'linked'
        if (p.steps.some(s => s.step === 'tcp' && s.ok)) best = 'tcp-only'
      }
      return best
    },
  }
}
