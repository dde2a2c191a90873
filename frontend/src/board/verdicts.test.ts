import { fireEvent, screen, waitFor, within } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { someVerdicts } from '../store/world.fixture'
import { answers, card, column, onStage, posts, show } from './board.fixture'

onStage()

/** host-c is only short of memory, and says whether this person may go on in spite of it. */
function shortOfMemory(may_override: boolean): void {
  const finding = {
    code: 'memory_short',
    severity: 'blocker',
    sentence: 'host-c has 1 GiB free.',
    remedy: 'Free some memory.',
    facts: {},
    overridable: true,
  } as const
  const all = someVerdicts(1, 1)
  answers.verdicts = {
    ...all,
    may_override,
    verdicts: all.verdicts.map((verdict) => (verdict.host === 3 ? { ...verdict, findings: [finding] } : verdict)),
  }
}

async function dropOnHostC(): Promise<HTMLElement> {
  await fireEvent.keyDown(card('shop-db'), { key: ' ' })
  await screen.findAllByTestId('verdict')
  for (const key of 'host-c') await fireEvent.keyDown(card('shop-db'), { key })
  await fireEvent.keyDown(card('shop-db'), { key: 'Enter' })
  return screen.findByTestId('confirm-move')
}

describe('an override', () => {
  it('is sent with its code and its reason once both are given, by a button that says what it does', async () => {
    shortOfMemory(true)
    const { asked } = show()
    const dialog = await dropOnHostC()
    expect(dialog.textContent).toContain('host-c cannot take shop-db')
    const submit = within(dialog).getByTestId<HTMLButtonElement>('confirm-submit')
    expect(submit.textContent?.trim()).toBe('Override and move to host-c')
    expect(submit.disabled).toBe(true)
    await fireEvent.click(within(dialog).getByLabelText('Go on although: host-c has 1 GiB free.'))
    expect(submit.disabled).toBe(true)
    await fireEvent.input(within(dialog).getByLabelText('Why it is right to go on'), { target: { value: ' Mostly unused. ' } })
    expect(submit.disabled).toBe(false)
    await fireEvent.click(submit)
    await waitFor(() => expect(asked).toHaveBeenCalledOnce())
    const body = (await posts()[0]?.json()) as { override: unknown }
    expect(body.override).toEqual({ codes: ['memory_short'], reason: 'Mostly unused.' })
  })

  it('is not offered to whoever may not', async () => {
    shortOfMemory(false)
    show()
    const dialog = await dropOnHostC()
    expect(within(dialog).queryByTestId('override')).toBeNull()
    expect(within(dialog).queryByTestId('confirm-submit')).toBeNull()
  })

  it('for one host says nothing about another', async () => {
    shortOfMemory(true)
    const [first] = answers.verdicts.verdicts.filter(({ host }) => host === 3)
    if (!first) throw new Error('no verdict of host-c')
    answers.verdicts = { ...answers.verdicts, verdicts: [{ ...first, host: 2 }, first] }
    show()
    await fireEvent.click(within(card('shop-db')).getByTestId('move-button'))
    const dialog = await screen.findByTestId('confirm-move')
    await fireEvent.click(await within(dialog).findByRole('radio', { name: /host-c/, hidden: true }))
    await fireEvent.click(within(dialog).getByLabelText(/^Go on although/))
    await fireEvent.click(within(dialog).getByRole('radio', { name: /host-b/, hidden: true }))
    expect(within(dialog).getByLabelText<HTMLInputElement>(/^Go on although/).checked).toBe(false)
  })
})

describe('the facts of a verdict', () => {
  it('are shown with their age, and grow older', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    try {
      show()
      await fireEvent.keyDown(card('shop-db'), { key: ' ' })
      const age = () => within(column('host-b')).getByTestId('facts-age').textContent?.trim()
      await screen.findAllByTestId('verdict')
      expect(age()).toBe('Known as of 1 s ago')
      vi.advanceTimersByTime(3000)
      await waitFor(() => expect(age()).toBe('Known as of 4 s ago'))
    } finally {
      vi.useRealTimers()
    }
  })
})
