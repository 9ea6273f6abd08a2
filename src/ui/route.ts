/** Which screen is shown: the address behind the `#`, so that every screen has a link that works at any node. */
import { computed, signal } from '@preact/signals'
import { type Screen, screens } from './screen.ts'

export interface Route {
  readonly screen: Screen
  /** What is shown of it; '': all. */
  readonly id: string
  readonly query: URLSearchParams
}

const hash = signal(location.hash)
addEventListener('hashchange', () => {
  hash.value = location.hash
})

/** An address that somebody has cut or mistyped is asked for as it stands, and not found. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const route = computed<Route>(() => {
  const [path = '', query = ''] = hash.value.replace(/^#\/?/, '').split('?')
  const [screen = '', id = ''] = path.split('/')
  return { screen: screens.find(each => each === screen) ?? 'fleet', id: decoded(id), query: new URLSearchParams(query) }
})

export const linkTo = (screen: Screen, id = ''): string =>
  `#/${screen === 'fleet' ? '' : screen}${id === '' ? '' : `/${encodeURIComponent(id)}`}`

export const go = (screen: Screen, id = ''): void => {
  location.hash = linkTo(screen, id)
}
