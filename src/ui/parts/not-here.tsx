/** In place of a screen whose subject is not there: what is missing, in the page's language, and the way back. */
import type { JSX } from 'preact'
import type { Refusal } from '../api/http.ts'
import { linkTo } from '../route.ts'
import type { Screen } from '../screen.ts'
import { Problem } from './basics.tsx'

interface NotHereProps {
  readonly refusal: Refusal
  /** Said where nothing goes by that name. */
  readonly what: string
  readonly screen: Screen
  readonly back: string
}

export const NotHere = ({ refusal: { code, message }, what, screen, back }: NotHereProps): JSX.Element => (
  <>
    <p>
      <a href={linkTo(screen)}>{back}</a>
    </p>
    {code === 'NOT_FOUND' ? <h1>{what}</h1> : <Problem code={code} message={message} />}
  </>
)
