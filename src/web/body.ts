/** Reads a request's JSON body within a limit. Permission is judged before this is called. */
import type { IncomingMessage } from 'node:http'
import { Fields, parseJson, ShoalError } from '../model/index.ts'

/** Bytes of a JSON body; a plan of 10,000 nodes with its order is 0.7 MB. */
const maxJsonBytes = 4 << 20

const read = new WeakMap<IncomingMessage, Promise<Buffer>>()

/** The body; read once, however often it is asked for. @throws ShoalError TOO_LARGE */
export function readBytes(req: IncomingMessage, maxBytes = maxJsonBytes): Promise<Buffer> {
  const known = read.get(req)
  if (known !== undefined) return known
  const bytes = readAll(req, maxBytes)
  read.set(req, bytes)
  return bytes
}

async function readAll(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  // A body that is refused in the middle is not destroyed: the answer has to go out first.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new ShoalError('TOO_LARGE', `the body has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export async function readJson(req: IncomingMessage, maxBytes = maxJsonBytes): Promise<Fields> {
  const type = (req.headers['content-type'] ?? '').split(';', 1).join('').trim().toLowerCase()
  if (type !== 'application/json')
    throw new ShoalError('UNSUPPORTED_TYPE', `content type is ${type || 'missing'}, must be application/json`)
  const bytes = await readBytes(req, maxBytes)
  return new Fields(parseJson(bytes.toString('utf8'), 'body', maxBytes), 'body')
}
