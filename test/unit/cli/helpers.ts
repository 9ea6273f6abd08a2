/** Homes, and a node that answers what a test says: a real HTTPS server with a real home's certificate and token. */
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { run } from '../../../src/cli/main.ts'
import type { Io } from '../../../src/cli/io.ts'
import { homePaths } from '../../../src/slots/index.ts'
import { readFileSync } from 'node:fs'
import type { Json } from '../../helpers/json.ts'

export type Teardown = (work: () => unknown) => void

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Standard output as JSON. */
  readonly json: Json
}

const collect = (stream: PassThrough): (() => string) => {
  let text = ''
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return () => text
}

/** Runs a command in this process, with its own streams, environment and folder. */
export async function shoal(
  argv: readonly string[],
  more: { env?: Record<string, string>; stdin?: string; cwd?: string; signal?: AbortSignal; isTTY?: boolean } = {},
): Promise<Ran> {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const out = collect(stdout)
  const err = collect(stderr)
  const io: Partial<Io> = {
    stdin: Object.assign(Readable.from([more.stdin ?? '']), { isTTY: more.isTTY === true }),
    stdout,
    stderr: Object.assign(stderr, { isTTY: more.isTTY === true }),
    env: more.env ?? {},
    cwd: more.cwd ?? '/nowhere',
    signal: more.signal ?? new AbortController().signal,
  }
  const code = await run(argv, io)
  return {
    code,
    get out() {
      return out()
    },
    get err() {
      return err()
    },
    get json() {
      return JSON.parse(out())
    },
  }
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Json
  readonly raw: Buffer
}

export type Answerer = (
  asked: Asked,
  res: ServerResponse,
) => { status?: number; headers?: Record<string, string>; body: unknown } | undefined

/** The node of a home, as far as a test says what it answers. `undefined`: the answerer did it itself. */
export async function fakeNode(teardown: Teardown, home: string, answer: Answerer): Promise<{ asked: Asked[]; server: Server }> {
  const paths = homePaths(home)
  const config = JSON.parse(readFileSync(paths.config, 'utf8'))
  writeFileSync(paths.localToken, 'token-1\n', { mode: 0o600 })
  const asked: Asked[] = []
  const cert = readFileSync(paths.nodePem, 'utf8') + readFileSync(paths.caPem, 'utf8')
  const server = createServer({ key: readFileSync(paths.nodeKey), cert }, (req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const raw = Buffer.concat(chunks)
      const isJson = req.headers['content-type'] === 'application/json'
      const one = {
        method: req.method ?? '',
        path: req.url ?? '',
        headers: req.headers,
        raw,
        body: isJson ? JSON.parse(raw.toString()) : null,
      }
      asked.push(one)
      const said = answer(one, res)
      if (said === undefined) return
      res.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers })
      res.end(typeof said.body === 'string' ? said.body : JSON.stringify(said.body))
    })
  })
  const [host, port] = config.listen.split(':')
  server.listen(Number(port), host)
  await once(server, 'listening')
  teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, server }
}

export const refusal = (code: string, message: string): { error: object } => ({ error: { code, message, requestId: 'req-7' } })
