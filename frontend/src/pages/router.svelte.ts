/** The client's own addresses: the same ones for which Django serves the shell. */
export type Route =
  | { readonly page: 'board' | 'migrations' | 'storage' | 'history' | 'not_found' }
  | { readonly page: 'migration' | 'maintenance'; readonly id: string }
  | { readonly page: 'maintenance_plan'; readonly host: number }

export function routeOf(path: string): Route {
  const [first = '', second, ...more] = path.split('/').filter((part) => part !== '')
  if (first === 'hosts' && /^\d+$/.test(second ?? '') && more.length === 1 && more[0] === 'maintenance')
    return { page: 'maintenance_plan', host: Number(second) }
  if (more.length > 0) return { page: 'not_found' }
  if (first === 'migrations' && second !== undefined) return { page: 'migration', id: decodeURIComponent(second) }
  if (first === 'maintenances' && second !== undefined) return { page: 'maintenance', id: decodeURIComponent(second) }
  if (second !== undefined) return { page: 'not_found' }
  if (first === '') return { page: 'board' }
  return first === 'migrations' || first === 'storage' || first === 'history' ? { page: first } : { page: 'not_found' }
}

let path = $state(location.pathname)
const route = $derived(routeOf(path))

export const currentRoute = (): Route => route

export function go(to: string): void {
  if (to !== location.pathname) history.pushState(null, '', to)
  path = location.pathname
  scrollTo(0, 0)
}

/** Follow plain clicks on our own links without loading the shell again. */
function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href]') : null
  if (!link || link.target || link.origin !== location.origin || link.hash) return
  if (routeOf(link.pathname).page === 'not_found') return
  event.preventDefault()
  go(link.pathname)
}

export function startRouter(): () => void {
  const listening = new AbortController()
  const { signal } = listening
  document.addEventListener('click', follow, { signal })
  window.addEventListener('popstate', () => (path = location.pathname), { signal })
  return () => listening.abort()
}
