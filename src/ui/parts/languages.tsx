/** The language of the page, to be changed by who reads it. */
import type { JSX } from 'preact'
import { allLanguages, language, speak } from '../words/index.ts'

export const Languages = (): JSX.Element => (
  <p class="languages">
    {allLanguages.map(([code, name]) => (
      <button key={code} type="button" class="quiet small" lang={code} aria-pressed={language.value === code} onClick={() => speak(code)}>
        {name}
      </button>
    ))}
  </p>
)
