// Fails when the catalogues differ in keys or placeholders, or when a sentence is not used anywhere.
import { readFileSync, readdirSync } from 'node:fs'

const source = new URL('../src/', import.meta.url)
const read = (locale) => JSON.parse(readFileSync(new URL(`ui/words/${locale}.json`, source), 'utf8'))
const [english, portuguese] = [read('en'), read('pt-BR')]
const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort().join()
const faults = []

for (const key of new Set([...Object.keys(english), ...Object.keys(portuguese)])) {
  if (!(key in english)) faults.push(`${key} is only in pt-BR`)
  else if (!(key in portuguese)) faults.push(`${key} is only in en`)
  else if (placeholders(english[key]) !== placeholders(portuguese[key])) faults.push(`${key} has other placeholders in pt-BR`)
}

// Keys that are built from data: their first half stands in a call of told().
const code = readdirSync(source, { recursive: true })
  .filter((file) => /\.(ts|svelte)$/.test(file))
  .map((file) => readFileSync(new URL(file, source), 'utf8'))
  .join('\n')
const told = new Set([...code.matchAll(/told\('(\w+)'/g)].map(([, prefix]) => prefix))
for (const key of Object.keys(english)) {
  const base = key.replace(/\.(one|other)$/, '')
  if (!code.includes(`'${base}'`) && !told.has(base.split('.')[0])) faults.push(`${key} is said nowhere`)
}

for (const fault of faults) console.error(fault)
if (faults.length > 0) process.exit(1)
