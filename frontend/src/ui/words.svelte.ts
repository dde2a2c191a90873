/** The words of the screens. English is the key type and comes with the page; others are fetched. */
import en from './words/en.json'

export type Locale = 'en' | 'pt-BR'
export type Key = keyof typeof en
type PluralOf<K> = K extends `${infer Base}.other` ? Base : never
export type PluralKey = PluralOf<Key>
export type Values = Readonly<Record<string, string | number>>
type Catalogue = Record<Key, string>

export const LOCALES: Record<Locale, string> = { en: 'English', 'pt-BR': 'Português (Brasil)' }

const KEPT_AS = 'xenweb-locale'
const LOADERS: Record<Exclude<Locale, 'en'>, () => Promise<{ default: Catalogue }>> = {
  'pt-BR': () => import('./words/pt-BR.json'),
}

let catalogue = $state.raw<Catalogue>(en)
let spoken = $state<Locale>('en')

export const locale = (): Locale => spoken

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** Say a sentence of the catalogue. */
export const t = (key: Key, values: Values = {}): string => fill(catalogue[key], values)

/** Say a sentence about so many things; `{count}` is the number as people write it. */
export function tn(key: PluralKey, count: number, values: Values = {}): string {
  const form = new Intl.PluralRules(spoken).select(count)
  const found = `${key}.${form}` in catalogue ? `${key}.${form}` : `${key}.other`
  return fill(catalogue[found as Key], { ...values, count: new Intl.NumberFormat(spoken).format(count) })
}

/** Say a sentence whose key is built from data; the data itself where there is no such sentence. */
export const told = (prefix: string, name: string): string =>
  (catalogue as Partial<Record<string, string>>)[`${prefix}.${name}`] ?? name.replaceAll('_', ' ')

function wanted(): Locale {
  const kept = localStorage.getItem(KEPT_AS)
  if (kept === 'en' || kept === 'pt-BR') return kept
  return navigator.languages.find((tag) => /^(en|pt)\b/i.test(tag))?.startsWith('pt') ? 'pt-BR' : 'en'
}

async function speak(next: Locale): Promise<void> {
  catalogue = next === 'en' ? en : (await LOADERS[next]()).default
  spoken = next
  document.documentElement.lang = next
}

/** Speak the language this browser chose before, or asks for. */
export const speakWanted = (): Promise<void> => speak(wanted())

export function chooseLocale(next: Locale): Promise<void> {
  localStorage.setItem(KEPT_AS, next)
  return speak(next)
}
