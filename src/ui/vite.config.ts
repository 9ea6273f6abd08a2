/**
 * How the dashboard is built: one script for the first screens, a second that is fetched when they stand (later.tsx), one style sheet, nothing
 * inlined and no polyfill, because the page's content security policy allows files of its own origin only.
 */
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  base: '/_shoal/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2023',
    outDir: '../../dist/ui',
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
  },
})
