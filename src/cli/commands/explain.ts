/** explain: what a code means, and what to do about it. */
import { codes, didYouMean, isCode, ShoalError } from '../../model/index.ts'
import { meanings } from '../meanings.ts'
import type { CommandSpec } from '../spec.ts'

export const explainCommands: readonly CommandSpec[] = [
  {
    path: 'explain',
    args: '<code>',
    values: Object.keys(codes),
    about: 'what an error’s code means, and what to do',
    run: (_context, args) => {
      const code = args.need(0, 'code').toUpperCase().replaceAll('-', '_')
      if (!isCode(code)) throw new ShoalError('NOT_FOUND', `there is no code ${code}${didYouMean(code, Object.keys(codes))}`)
      const { exit, status, todo } = codes[code]
      const means = meanings[code] ?? ''
      return { document: { code, means, todo, exit, status }, text: [`${code} (exit code ${exit}, HTTP status ${status})`, means, todo] }
    },
  },
]
