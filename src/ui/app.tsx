/** The frame around every screen: who is logged in, where one is, whether what is shown is the present. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { logOut, session } from './api/http.ts'
import { Later, loadMore } from './later.tsx'
import { onScreen } from './live/focus.ts'
import { link } from './live/stream.ts'
import { useTitle } from './live/title.ts'
import { isOutdated } from './live/version.ts'
import { Icon, Logo } from './parts/icon.tsx'
import { Languages } from './parts/languages.tsx'
import { releaseName } from './parts/say.ts'
import { linkTo, route } from './route.ts'
import type { Screen } from './screen.ts'
import { Fleet } from './screens/fleet.tsx'
import { LogIn } from './screens/login.tsx'
import { NodePage } from './screens/node.tsx'
import { Release } from './screens/release.tsx'
import { Releases } from './screens/releases.tsx'
import { Rollout } from './screens/rollout.tsx'
import { Rollouts } from './screens/rollouts.tsx'
import { language, words } from './words/index.ts'

const tabs = ['fleet', 'rollouts', 'releases', 'people', 'log'] as const satisfies readonly Screen[]

const Tabs = (): JSX.Element => (
  <nav aria-label="Shoal">
    <ul>
      {tabs.map(screen => (
        <li key={screen}>
          <a href={linkTo(screen)} aria-current={route.value.screen === screen ? 'page' : undefined}>
            <Icon shape={screen} />
            <span>{words().screens[screen]}</span>
          </a>
        </li>
      ))}
    </ul>
  </nav>
)

const Live = (): JSX.Element => {
  const { state, since } = link.value
  const w = words()
  const time = new Intl.DateTimeFormat(w.locale, { timeStyle: 'medium' }).format(since)
  return (
    <p class={`live ${state}`} role="status">
      {state === 'live' ? w.live : w.reconnecting(time)}
    </p>
  )
}

const Account = (): JSX.Element | null => {
  const who = session.value
  if (who === null || who === undefined) return null
  return (
    <details class="account">
      <summary>
        <Icon shape="people" />
        <span>{who.name}</span>
      </summary>
      <div class="menu">
        <p>
          {who.name} · {words().roles[who.role]}
        </p>
        <Languages />
        <button type="button" onClick={() => void logOut()}>
          {words().login.out}
        </button>
      </div>
    </details>
  )
}

/** ms after which the first screen stands, and the second script is fetched. */
const restMs = 600

const toContent = (): void => document.getElementById('content')?.focus()

const Frame = ({ children }: { readonly children: ComponentChildren }): JSX.Element => (
  <>
    <button type="button" class="skip" onClick={toContent}>
      {words().skip}
    </button>
    <header class="top">
      <a class="brand" href={linkTo('fleet')}>
        <Logo />
        <span>Shoal</span>
      </a>
      <Tabs />
      <Live />
      <Account />
    </header>
    {isOutdated.value && (
      <p class="notice" role="status">
        {words().newer}{' '}
        <button type="button" class="small" onClick={() => location.reload()}>
          {words().reload}
        </button>
      </p>
    )}
    <main id="content" tabIndex={-1} class={link.value.state === 'live' ? undefined : 'stale'}>
      {children}
    </main>
  </>
)

const Shown = (): JSX.Element => {
  const { screen, id } = route.value
  switch (screen) {
    case 'rollouts':
      return id === '' ? <Rollouts /> : <Rollout key={id} id={id} />
    case 'releases':
      return id === '' ? <Releases /> : <Release key={id} id={id} />
    case 'people':
      return <Later of={more => <more.People />} />
    case 'log':
      return <Later of={more => <more.Log />} />
    case 'nodes':
      return id === '' ? <Fleet /> : <NodePage key={id} id={id} />
    case 'fleet':
      return <Fleet />
  }
}

/** What the tab is called; one thing's own screen says it itself. */
function titleOf(): string | null {
  const { screen, id } = route.value
  const w = words()
  if (session.value === null) return w.login.title
  if (id !== '' && (screen === 'rollouts' || screen === 'nodes')) return null
  return id !== '' && screen === 'releases' ? releaseName(id) : w.screens[screen]
}

export const App = (): JSX.Element | null => {
  useEffect(() => {
    document.documentElement.lang = language.value
  }, [language.value])
  useEffect(() => {
    if (session.value == null) return
    const timer = setTimeout(loadMore, restMs)
    return () => clearTimeout(timer)
  }, [session.value])
  useTitle(titleOf())
  const { screen, id } = route.value
  const isFirst = useRef(true)
  useEffect(() => {
    if (!isFirst.current) onScreen()
    isFirst.current = false
  }, [screen, id])
  if (session.value === undefined) return null
  if (session.value === null) return <LogIn />
  return (
    <Frame>
      <Shown />
    </Frame>
  )
}
