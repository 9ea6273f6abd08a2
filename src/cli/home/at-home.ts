/** The node at home, as its files describe it: where it listens, how it is known, what opens its API. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type Config,
  type FleetId,
  messageOf,
  parseAddress,
  parseConfig,
  parseFleetId,
  parseJson,
  ShoalError,
  systemCodeOf,
} from '../../model/index.ts'
import { dialable, type HomePaths } from '../../slots/index.ts'
import type { Target } from '../client.ts'

/** @throws ShoalError HOME_DAMAGED */
export function readHomeFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', `${path}: cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })
  }
}

export const readConfig = (paths: HomePaths): Config => parseConfig(parseJson(readHomeFile(paths.config), paths.config), paths.config)

/** The one name in the node's certificate, `<node id>.<fleet id>.shoal`. @throws ShoalError HOME_DAMAGED */
export function serverNameAtHome(paths: HomePaths): string {
  const name = /^DNS:([a-z2-7]{52}\.[a-z2-7]{52}\.shoal)$/.exec(subjectAltName(paths))?.[1]
  if (name === undefined) throw new ShoalError('HOME_DAMAGED', `${paths.nodePem}: names ${subjectAltName(paths)}, expected one .shoal name`)
  return name
}

function subjectAltName(paths: HomePaths): string {
  const pem = readHomeFile(paths.nodePem)
  try {
    return new X509Certificate(pem).subjectAltName ?? 'nothing'
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', `${paths.nodePem}: is no certificate`, { cause })
  }
}

export const fleetAtHome = (paths: HomePaths): FleetId => parseFleetId(serverNameAtHome(paths).split('.')[1])

export function nodeAtHome(paths: HomePaths): Target {
  return {
    address: dialable(parseAddress(readConfig(paths).listen, `${paths.config}.listen`)),
    serverName: serverNameAtHome(paths),
    ca: readHomeFile(paths.caPem),
    readToken: () => readToken(paths),
  }
}

/** @throws ShoalError NO_NODE if the node has never been started */
function readToken(paths: HomePaths): string {
  try {
    return readFileSync(paths.localToken, 'utf8').trim()
  } catch (cause) {
    if (systemCodeOf(cause) !== 'ENOENT')
      throw new ShoalError('NOT_ALLOWED', `${paths.localToken}: cannot be read (${systemCodeOf(cause) ?? ''})`, { cause })
    throw new ShoalError('NO_NODE', `${paths.home}: its node has not been started yet`, { cause })
  }
}
