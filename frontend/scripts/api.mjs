// Writes src/api/schema.d.ts from ../build/openapi.json; with --check it only says whether they differ.
import { readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'

const source = new URL('../../build/openapi.json', import.meta.url)
const target = new URL('../src/api/schema.d.ts', import.meta.url)
const head = '// Written by `npm run gen:api` from the OpenAPI document. Do not edit.\n'

const ast = await openapiTS(source, { alphabetize: true, defaultNonNullable: true })
const fresh = head + astToString(ast)

if (!process.argv.includes('--check')) {
  await writeFile(target, fresh)
} else if ((await readFile(target, 'utf8')) !== fresh) {
  console.error('src/api/schema.d.ts differs from the OpenAPI document: run `npm run gen:api`.')
  process.exit(1)
}
