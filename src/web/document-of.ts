/** What peers pull by digest: plans, releases (the payload that was signed) and roots. The text's SHA-256 is the digest. */
import { type Digest, parseEnvelope, parseJson } from '../model/index.ts'
import { sha256 } from '../trust/index.ts'
import type { WebServices } from './services.ts'

export const documentOf = (s: WebServices, digest: Digest): string | undefined =>
  s.document(digest) ?? releaseOf(s, digest) ?? rootOf(s, digest)

function releaseOf({ replica }: WebServices, digest: Digest): string | undefined {
  const fact = replica.registers.ofKind('release').find(f => f.name === digest)
  return fact === undefined ? undefined : Buffer.from(parseEnvelope(parseJson(fact.body, 'release')).payload, 'base64').toString('utf8')
}

const rootOf = ({ replica }: WebServices, digest: Digest): string | undefined =>
  replica.registers.ofKind('root').find(f => sha256(f.body) === digest)?.body
