/** Light, dark, or as the system says; kept in this browser. static/theme.js lays it on before the first paint. */
export type Theme = 'system' | 'light' | 'dark'

export const THEMES: readonly Theme[] = ['system', 'light', 'dark']

const KEPT_AS = 'xenweb-theme'
const isTheme = (name: string | null): name is Theme => THEMES.includes(name as Theme)

function kept(): Theme {
  const name = localStorage.getItem(KEPT_AS)
  return isTheme(name) ? name : 'system'
}

let chosen = $state<Theme>(kept())

export const theme = (): Theme => chosen

export function chooseTheme(next: Theme): void {
  chosen = next
  localStorage.setItem(KEPT_AS, next)
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
}
