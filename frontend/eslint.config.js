import js from '@eslint/js'
import svelte from 'eslint-plugin-svelte'
import globals from 'globals'
import ts from 'typescript-eslint'
import svelteConfig from './svelte.config.js'

/** What each room may import, by floor. Whatever is not listed here is above it or beside it. */
const FLOORS = {
  tokens: [],
  ui: ['tokens'],
  drag: [],
  api: [],
  realtime: ['api'],
  store: ['realtime', 'api', 'ui', 'tokens'],
  board: ['store', 'realtime', 'api', 'drag', 'ui', 'tokens'],
  migration: ['store', 'realtime', 'api', 'ui', 'tokens'],
  maintenance: ['store', 'realtime', 'api', 'ui', 'tokens'],
  audit: ['store', 'realtime', 'api', 'ui', 'tokens'],
  pages: ['board', 'migration', 'maintenance', 'audit', 'store', 'realtime', 'api', 'ui', 'tokens'],
}
const ROOMS = Object.keys(FLOORS)

const floors = ROOMS.map((room) => {
  const closed = ROOMS.filter((other) => other !== room && !FLOORS[room].includes(other))
  return {
    files: [`src/${room}/**/*.{ts,svelte}`],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: closed.map((other) => ({ regex: `^\\.\\./(.*/)?${other}/`, message: `${room} may not know ${other}.` })) },
      ],
    },
  }
})

export default ts.config(
  { ignores: ['src/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: globals.browser } },
  { files: ['scripts/**', '*.config.js'], languageOptions: { globals: globals.node } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    files: ['src/**/*.{ts,svelte}'],
    rules: {
      'no-undef': 'off',
      'max-lines': ['error', { max: 250, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Our links are real addresses that Django serves too; the router only saves a load.
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
  { files: ['src/**/*.test.ts'], rules: { 'max-lines-per-function': 'off' } },
  ...floors,
)
