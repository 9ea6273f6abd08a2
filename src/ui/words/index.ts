/** The language of the page: what the browser asks for, until a person says otherwise. */
import { computed, signal } from '@preact/signals'
import { de } from './de.ts'
import { en, type Words } from './en.ts'

export type Language = 'en' | 'de'
const languages: Readonly<Record<Language, Words>> = { en, de }
const key = 'shoal-language'

const first = (): Language => {
  const kept = localStorage.getItem(key)
  if (kept === 'en' || kept === 'de') return kept
  return navigator.languages.some(each => /^de\b/.test(each)) && !/^en\b/.test(navigator.language) ? 'de' : 'en'
}

export const language = signal<Language>(first())
/** English here is as the browser's owner writes dates and numbers, be it British or American. */
const variant = (code: Language): string => navigator.languages.find(each => each.split('-')[0] === code) ?? code

const chosen = computed(() => ({ ...languages[language.value], locale: variant(language.value) }))

/** The texts; read while a component draws, it draws again in another language. */
export const words = (): Words => chosen.value

export const allLanguages: readonly (readonly [Language, string])[] = [
  ['en', en.language],
  ['de', de.language],
]

export function speak(next: Language): void {
  localStorage.setItem(key, next)
  language.value = next
}
