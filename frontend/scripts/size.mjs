// Fails when the first load, gzipped, is more than the house allows: entry, what it imports, styles and the Latin font.
import { readFileSync, readdirSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const LIMIT_KB = 150
const folder = new URL('../../build/frontend/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', folder), 'utf8'))

const files = new Set()
function take(name) {
  const chunk = manifest[name]
  if (files.has(chunk.file)) return
  files.add(chunk.file)
  for (const style of chunk.css ?? []) files.add(style)
  for (const next of chunk.imports ?? []) take(next)
}
take('src/pages/main.ts')
for (const file of readdirSync(new URL('assets/', folder))) {
  if (/^inter-latin-wght/.test(file)) files.add(`assets/${file}`)
}

let total = 0
for (const file of files) {
  const bytes = gzipSync(readFileSync(new URL(file, folder)), { level: 9 }).length
  total += bytes
  console.log(`${(bytes / 1024).toFixed(1).padStart(7)} kB  ${file}`)
}
console.log(`${(total / 1024).toFixed(1).padStart(7)} kB  first load, gzipped (limit ${LIMIT_KB} kB)`)
if (total > LIMIT_KB * 1024) process.exit(1)
