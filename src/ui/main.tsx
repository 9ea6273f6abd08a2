/** Where the dashboard begins: who is it, what is new, draw. */
import { render } from 'preact'
import { recall } from './api/http.ts'
import { App } from './app.tsx'
import { watchFocus } from './live/focus.ts'
import { startStream } from './live/stream.ts'
import { watchVersion } from './live/version.ts'

const root = document.getElementById('root')
if (root !== null) {
  void recall()
  watchVersion()
  watchFocus()
  startStream()
  render(<App />, root)
}
