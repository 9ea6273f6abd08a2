/** What a tab, a bookmark and a reader call the page. */
import { useEffect } from 'preact/hooks'

/** @param text null: another part of the page says it */
export function useTitle(text: string | null): void {
  useEffect(() => {
    if (text !== null) document.title = `${text} · Shoal`
  }, [text])
}
