/** Reads a request's JSON body within a limit. Permission is judged before this is called. */
import type { IncomingMessage } from 'node:http'
import { Fields, parseJson, ShoalError } from '../model/index.ts'

/** Bytes of a JSON body; a plan of 10,000 nodes with its order is 0.7 MB. */
const maxJsonBytes = 4 << 20

export async function readJson(req: IncomingMessage, maxBytes = maxJsonBytes): Promise<Fields> {
  const type = (req.headers['content-type'] ?? '').split(';', 1).join('').trim().toLowerCase()
  if (type !== 'application/json')
    throw new ShoalError('UNSUPPORTED_TYPE', `content type is ${type || 'missing'}, must be application/json`)
  const chunks: Buffer[] = []
  let size = 0
  // A body that is refused in the middle is not destroyed: the answer has to go out first.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new ShoalError('TOO_LARGE', `the body has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return new Fields(parseJson(Buffer.concat(chunks).toString('utf8'), 'body', maxBytes), 'body')
}
