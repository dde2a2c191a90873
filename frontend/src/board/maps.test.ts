import { fireEvent, screen, waitFor, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import type { Needs, Verdict } from '../api/types'
import { aBoard, aHost, GIB, MIB, someVerdicts } from '../store/world.fixture'
import { answers, card, onStage, posts, requests, show } from './board.fixture'
import { mapsOf } from './maps'

onStage()

const NEEDS: Needs = {
  disks: [
    {
      device: 'xvda',
      capacity: 32 * MIB,
      storage: 'local',
      places: [
        { storage: 7, name: 'wide', free: 60 * GIB },
        { storage: 8, name: 'narrow', free: null },
      ],
      suggested: 7,
    },
  ],
  cards: [
    { device: '0', address: '02:00:00:00:00:01', network: 'lan', networks: ['lan', 'guests'], suggested: 'lan' },
    { device: '1', address: '02:00:00:00:00:02', network: 'dmz', networks: ['lan', 'guests'], suggested: null },
  ],
}

function verdict(more: Partial<Verdict> = {}): Verdict {
  const all = someVerdicts(1, 1)
  const [first] = all.verdicts
  if (!first) throw new Error('no verdict')
  return { ...first, answer: 'can_go_but', needs: NEEDS, ...more }
}

function beyond(more: Partial<Verdict> = {}): void {
  answers.verdicts = { ...someVerdicts(1, 1), verdicts: [verdict(more)] }
}

async function dropOnHostB(): Promise<HTMLElement> {
  await fireEvent.keyDown(card('shop-db'), { key: ' ' })
  await screen.findAllByTestId('verdict')
  for (const key of 'host-b') await fireEvent.keyDown(card('shop-db'), { key })
  await fireEvent.keyDown(card('shop-db'), { key: 'Enter' })
  return screen.findByTestId('confirm-move')
}

describe('a drop where disks or networks are not reached', () => {
  it('asks for nothing where everything is', async () => {
    show()
    const dialog = await dropOnHostB()
    expect(within(dialog).queryByTestId('maps')).toBeNull()
  })

  it('is prefilled with what is suggested, and what has no suggestion must be chosen', async () => {
    beyond()
    const { asked } = show()
    const dialog = await dropOnHostB()
    expect(within(dialog).getByLabelText<HTMLSelectElement>(/Disk xvda/).value).toBe('7')
    expect(within(dialog).getByText('wide, 60 GiB free')).toBeTruthy()
    expect(within(dialog).getByText('narrow, free space unknown')).toBeTruthy()
    expect(within(dialog).getByText('32 MiB, now on local')).toBeTruthy()
    const open = within(dialog).getByLabelText<HTMLSelectElement>(/Network card 1/)
    expect(open.value).toBe('')
    expect(open.getAttribute('aria-invalid')).toBe('true')
    expect(dialog.textContent).toContain('host-b has no network called dmz: choose another.')
    const submit = within(dialog).getByTestId<HTMLButtonElement>('confirm-submit')
    expect(submit.disabled).toBe(true)
    answers.judged = verdict({ findings: [] })
    await fireEvent.change(open, { target: { value: 'guests' } })
    await waitFor(() => expect(submit.disabled).toBe(false))
    const judged = requests.filter(({ method, url }) => method === 'POST' && url.endsWith('/verdicts'))
    expect(await judged[0]?.json()).toEqual({
      target: 2,
      maps: {
        disks: [{ device: 'xvda', storage: 7 }],
        cards: [
          { device: '0', network: 'lan' },
          { device: '1', network: 'guests' },
        ],
      },
    })
    await fireEvent.click(submit)
    await waitFor(() => expect(asked).toHaveBeenCalledOnce())
    const sent = (await posts().at(-1)?.json()) as { maps: unknown }
    expect(sent.maps).toEqual({
      disks: [{ device: 'xvda', storage: 7 }],
      cards: [
        { device: '0', network: 'lan' },
        { device: '1', network: 'guests' },
      ],
    })
  })

  it('says why what was chosen cannot be, and lets another place be chosen', async () => {
    beyond({ needs: { ...NEEDS, cards: [] } })
    show()
    const dialog = await dropOnHostB()
    const submit = within(dialog).getByTestId<HTMLButtonElement>('confirm-submit')
    expect(submit.disabled).toBe(false)
    answers.judged = verdict({
      answer: 'cannot_go',
      findings: [
        { code: 'storage_full', severity: 'blocker', sentence: 'narrow has 1 MiB free.', remedy: 'Free space.', facts: {}, overridable: false },
      ],
    })
    await fireEvent.change(within(dialog).getByLabelText(/Disk xvda/), { target: { value: '8' } })
    await within(dialog).findByText(/narrow has 1 MiB free/)
    expect(submit.disabled).toBe(true)
    answers.judged = verdict({ findings: [] })
    await fireEvent.change(within(dialog).getByLabelText(/Disk xvda/), { target: { value: '7' } })
    await waitFor(() => expect(submit.disabled).toBe(false))
  })

  it('offers no choice where none would help', async () => {
    beyond({ answer: 'cannot_go' })
    show()
    const dialog = await dropOnHostB()
    expect(within(dialog).queryByTestId('maps')).toBeNull()
    expect(within(dialog).queryByTestId('confirm-submit')).toBeNull()
  })
})

describe('maps', () => {
  it('are nothing while something is open', () => {
    expect(mapsOf(NEEDS, {})).toBeNull()
    expect(mapsOf(NEEDS, { 'card 1': 'lan' })?.cards[1]).toEqual({ device: '1', network: 'lan' })
    expect(mapsOf({ ...NEEDS, cards: [] }, { 'disk xvda': '' })).toBeNull()
  })
})

describe('pools', () => {
  it('are labelled groups with their hosts and VMs counted, and say if they are simulated', () => {
    const far = aHost(3, 'host-d', { pool: 'blue', simulated: true })
    show(aBoard({ hosts: [aHost(1, 'host-a'), aHost(2, 'host-b'), far] }))
    const group = screen.getByRole('region', { name: 'Pool blue' })
    const heading = within(group).getByTestId('pool-heading')
    expect(heading.textContent).toContain('blue')
    expect(heading.textContent).toContain('Simulated')
    expect(heading.textContent).toContain('1 host · 0 VMs')
    expect(within(screen.getByRole('region', { name: 'Pool rack-2' })).getByTestId('pool-heading').textContent).not.toContain('Simulated')
  })

  it('need no heading where there is one', () => {
    show()
    expect(screen.queryByTestId('pool-heading')).toBeNull()
  })
})
