/**
 * `shoal doctor` of this home, run by the node itself as a process of its own: the same checks as on the command line, which read every byte of the
 * slots and hold up nobody. It answers on standard output, and ends with 1 where something is wrong.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { messageOf, parseJson, ShoalError } from '../model/index.ts'
import { entryOf } from '../slots/index.ts'

/** ms: it tests the way to every sync peer, and reads all slots. */
const doctorMs = 120_000
const maxAnswerBytes = 1 << 20

/** The program that runs. */
const programDir = join(import.meta.dirname, '..', '..')

/**
 * @param signal this node is not asked any more
 * @throws ShoalError BUSY: it did not come to an end in time; STARTING: the node changes over; SLOT_DAMAGED; INTERNAL: it said nothing that can be read
 */
export async function runDoctor(home: string, signal: AbortSignal): Promise<unknown> {
  const entry = entryOf(programDir)
  if (entry === null) throw new ShoalError('SLOT_DAMAGED', `${programDir} has no entry to start`)
  const options = { signal, timeout: doctorMs, killSignal: 'SIGKILL', maxBuffer: maxAnswerBytes, windowsHide: true, cwd: home } as const
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [entry, 'doctor', '--json', '--home', home], options, (error, stdout) => {
      if (signal.aborted) reject(new ShoalError('STARTING', 'the node changes over, and its doctor with it'))
      else if (error?.killed === true) reject(new ShoalError('BUSY', `the doctor did not come to an end in ${doctorMs / 1000} s`))
      else resolveJson(stdout, resolve, reject)
    })
  })
}

function resolveJson(text: string, resolve: (value: unknown) => void, reject: (error: ShoalError) => void): void {
  try {
    resolve(parseJson(text, 'doctor', maxAnswerBytes))
  } catch (cause) {
    reject(new ShoalError('INTERNAL', `the doctor said nothing that can be read: ${messageOf(cause)}`, { cause }))
  }
}
