/** The typed door to REST: session cookie, CSRF header, and problems as thrown refusals. */
import createClient from 'openapi-fetch'
import { hearClock } from './clock'
import { Refusal, refusalFrom } from './refusal'
import type { paths } from './schema'

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((pair) => pair.startsWith(`${name}=`))
  return found ? decodeURIComponent(found.slice(name.length + 1)) : ''
}

export const csrfToken = (): string => cookie('csrftoken')

export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  credentials: 'same-origin',
  // Looked up at each call, so that tests may stand in for it.
  fetch: (request) => globalThis.fetch(request),
})

client.use({
  onRequest({ request }) {
    if (request.method !== 'GET') request.headers.set('X-CSRFToken', csrfToken())
    return request
  },
  onResponse({ response }) {
    hearClock(response)
  },
})

interface Answered<T> {
  data?: T
  error?: unknown
  response: Response
}

async function heard<T>(answer: Promise<Answered<T>>): Promise<Answered<T>> {
  try {
    return await answer
  } catch {
    throw new Refusal(null)
  }
}

/** Give back the body of an answer, or throw the refusal in it. */
export async function bodyOf<T>(answer: Promise<Answered<T>>): Promise<T> {
  const { data, error, response } = await heard(answer)
  if (data === undefined) throw refusalFrom(response, error)
  return data
}

/** Wait for an answer that has no body, or throw the refusal in it. */
export async function done(answer: Promise<Answered<unknown>>): Promise<void> {
  const { error, response } = await heard(answer)
  if (!response.ok) throw refusalFrom(response, error)
}
