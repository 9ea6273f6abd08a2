/** Where a node is reached, as its config.json says it. */
import { networkInterfaces } from 'node:os'
import { type Address, type Config, formatAddress, parseAddress } from '../model/index.ts'

/** As many as a node may say of itself. */
const maxAddresses = 16

/** By which others may dial it: what config.json advertises, else where it listens, else the machine's own. */
export function advertised(config: Config): readonly string[] {
  if (config.advertise.length > 0) return config.advertise
  const { host, port } = parseAddress(config.listen)
  if (host !== '0.0.0.0' && host !== '::') return [config.listen]
  const own = Object.values(networkInterfaces())
    .flatMap(each => each ?? [])
    .filter(each => !each.internal && each.family === 'IPv4')
    .map(each => formatAddress({ host: each.address, port }))
  return own.length > 0 ? own.slice(0, maxAddresses) : [formatAddress({ host: '127.0.0.1', port })]
}

/** From its own machine: who listens on every address is asked on loopback. */
export function dialable({ host, port }: Address): Address {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port }
  return host === '::' ? { host: '::1', port } : { host, port }
}
