/** Texts of what the second script brings; they travel with it. */
import { language } from './index.ts'
import { moreDe } from './more-de.ts'
import { moreEn, type MoreWords } from './more-en.ts'

const texts = { en: moreEn, de: moreDe } as const

/** The texts; read while a component draws, it draws again in another language. */
export const moreWords = (): MoreWords => texts[language.value]
