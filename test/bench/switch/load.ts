/**
 * The constant load of the switch bench, a process of its own: 20 keep-alive clients, 6 with a new connection per request, 4 slow ones, 30 lazy
 * keep-alive clients behind a delay, 10 that stall in every stage of a handshake, 50 WebSockets. Half of each are peers. Nothing is retried
 * but a peer's 503.
 */
import { Clients } from './clients.ts'
import type { FromLoad, ToLoad } from './protocol.ts'

const say = (message: FromLoad): void => void process.send?.(message)
let clients: Clients | null = null
let longestStallMs = 0
let lastTick = performance.now()
setInterval(() => {
  const now = performance.now()
  longestStallMs = Math.max(longestStallMs, now - lastTick - 10)
  lastTick = now
}, 10)

async function obey(message: ToLoad): Promise<void> {
  switch (message.t) {
    case 'start':
      clients = new Clients(message.target)
      await clients.start()
      say({ t: 'started' })
      return
    case 'window':
      say({ t: 'samples', ...(clients?.take() ?? { samples: [], handshakes: 0 }), stallMs: Math.round(longestStallMs) })
      longestStallMs = 0
      return
    case 'stop':
      await clients?.stop()
      say({ t: 'stopped' })
  }
}

process.on('message', message => void obey(message as ToLoad))
process.once('disconnect', () => process.exit())
