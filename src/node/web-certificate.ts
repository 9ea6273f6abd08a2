/**
 * The certificate that people's browsers see where the user gave none: made once and kept, so that who trusted it is not asked again after every
 * switch; made anew when the node's names and addresses change. It is worth no more than that: what cannot be read is replaced.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { asString, Fields, messageOf, parseJson } from '../model/index.ts'
import { writeDurableSync } from '../slots/index.ts'
import { type KeyAndCertificate, makeWebCertificate } from '../trust/index.ts'

/** @param path where it is kept, readable by the home's owner alone */
export function keptWebCertificate(path: string, hosts: readonly string[]): KeyAndCertificate {
  const kept = readKept(path, hosts)
  if (kept !== null) return kept
  const made = makeWebCertificate(hosts)
  try {
    writeDurableSync(path, JSON.stringify({ hosts, ...made }), 0o600)
  } catch (error) {
    // A full disk: another one the next time.
    process.emitWarning(`${path}: not kept: ${messageOf(error)}`)
  }
  return made
}

function readKept(path: string, hosts: readonly string[]): KeyAndCertificate | null {
  try {
    const f = new Fields(parseJson(readFileSync(path, 'utf8'), path), path)
    const [key, cert] = [f.string('key', 10_000), f.string('cert', 100_000)]
    const made = f.list('hosts', (v, w) => asString(v, w, 300), 1000)
    const isSame = made.length === hosts.length && made.every((host, at) => host === hosts[at])
    return isSame && new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? { key, cert } : null
  } catch {
    return null // There is none, or none that is whole.
  }
}
