/**
 * The test package: a whole package of 321 bytes that every node holds and serves beside those of releases. A Shoal on trial fetches it from a
 * peer, as it would fetch its successor. Its bytes and its blockmap are frozen for ever: they are part of Shoal itself, so no release signs them,
 * and every version knows the same.
 */
import type { Blockmap, PackageRef } from '../model/index.ts'
import { writeDurable } from '../slots/index.ts'
import { formatBlockmap, sha256Hex } from './blockmap.ts'
import type { PackageStore } from './package-store.ts'

const base64 = [
  'UEsDBBQAAAgIAAAAIQCkgOs3VQAAAGMAAAAKAAAAc2hvYWwuanNvbhXLQQrCMBBA0bv89RjabW4z2JHGNpOQCWIR7y6+/fsQ992qklfhKL6R0d4RXKuRib3p',
  'eZsWE+FlI0pzMmta0oLQT52PNuq/+YVgPsdFpvhm7/QMvj9QSwMEFAAACAAAAAAhANdzzA8aAAAAGgAAAAgAAABpbmRleC5qc2V4cG9ydCBkZWZhdWx0ICgp',
  'ID0+ICh7fSkKUEsBAhQDFAAACAgAAAAhAKSA6zdVAAAAYwAAAAoAAAAAAAAAAAAAAKSBAAAAAHNob2FsLmpzb25QSwECFAMUAAAIAAAAACEA13PMDxoAAAAa',
  'AAAACAAAAAAAAAAAAAAApIF9AAAAaW5kZXguanNQSwUGAAAAAAIAAgBuAAAAvQAAAAAA',
].join('')

export interface TestPackage {
  readonly ref: PackageRef
  readonly bytes: Uint8Array
  readonly blockmapText: string
}

export function testPackage(): TestPackage {
  const bytes = Buffer.from(base64, 'base64')
  const digest = sha256Hex(bytes)
  const blockmap: Blockmap = { size: bytes.length, segments: [[0, bytes.length, digest]] }
  const blockmapText = formatBlockmap(blockmap)
  return { ref: { digest, size: bytes.length, blockmap: sha256Hex(blockmapText) }, bytes, blockmapText }
}

/** Makes sure that the store has it. @throws ShoalError DISK_FULL */
export async function holdTestPackage(store: PackageStore): Promise<void> {
  const { ref, bytes, blockmapText } = testPackage()
  if (store.has(ref.digest)) return
  const beside = `${store.path(ref.digest)}.tmp`
  await writeDurable(beside, bytes)
  await store.adopt(beside, ref.digest, blockmapText)
}
