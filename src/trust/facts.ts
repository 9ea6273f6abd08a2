/** Signatures of nodes over their own facts: ECDSA P-256 with the key of the node's certificate. */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { type Fact, factMessage } from '../model/index.ts'

/** A signer of this node's facts. */
export function factSigner(keyPem: string): (fact: Omit<Fact, 'sig'>) => Fact {
  const key = createPrivateKey(keyPem)
  return fact => ({ ...fact, sig: sign('sha256', Buffer.from(factMessage(fact)), key).toString('base64') })
}

export function verifyFact(fact: Fact, spkiBase64: string): boolean {
  const key = createPublicKey({ key: Buffer.from(spkiBase64, 'base64'), format: 'der', type: 'spki' })
  return verify('sha256', Buffer.from(factMessage(fact)), key, Buffer.from(fact.sig, 'base64'))
}
