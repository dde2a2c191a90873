import { fireEvent, screen, waitFor, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { aBoard, aHost, aMigration, aVm } from '../store/world.fixture'
import { answers, card, column, json, onStage, posts, requests, show } from './board.fixture'

onStage()

describe('a host that is connected', () => {
  it('is shown with its age, and its VMs dimmed, once nothing is heard of it', () => {
    const silent = aHost(2, 'host-b', { as_of: '2026-11-23T11:59:20Z' })
    show(aBoard({ hosts: [aHost(1, 'host-a'), silent] }))
    expect(column('host-b').textContent).toContain('Nothing heard of it for 45 s')
    expect(column('host-b').textContent).toContain('What is shown is as of')
    expect(column('host-b').querySelectorAll('li.dimmed')).toHaveLength(1)
    expect(column('host-a').textContent).not.toContain('Nothing heard')
  })
})

describe('a VM that both hosts of its move run', () => {
  it('is called so on its card', () => {
    const doubt = aMigration('MOVE0001', { state: 'uncertain', failure_code: 'vm_runs_twice' })
    show(aBoard({ migrations: [doubt] }))
    expect(card('shop-db').textContent).toContain('Found running on more than one host')
    expect(card('web-1').textContent).not.toContain('more than one host')
  })
})

describe('the board by keyboard', () => {
  it('Space asks once for all verdicts, and every column says its own with all reasons', async () => {
    show()
    await fireEvent.keyDown(card('shop-db'), { key: ' ' })
    const cannot = await within(column('host-c')).findByTestId('verdict')
    expect(cannot.textContent).toContain('Cannot take it')
    expect(cannot.textContent).toContain('Disk vda is local to host-a. Copy it first.')
    expect(cannot.textContent).toContain('host-c has 1 GiB free. Free some memory.')
    expect(within(column('host-b')).getByTestId('verdict').textContent).toContain('36 of 64 GiB memory free afterwards')
    expect(within(column('host-b')).getByTestId('meter-after')).toBeTruthy()
    expect(within(column('host-a')).queryByTestId('verdict')).toBeNull()
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual(['/api/v1/vms/1/verdicts'])
  })

  it('letters choose, Enter asks to confirm, and the confirmation sends the move with its options', async () => {
    const { asked } = show()
    await fireEvent.keyDown(card('shop-db'), { key: ' ' })
    await screen.findAllByTestId('verdict')
    for (const key of 'host-b') await fireEvent.keyDown(card('shop-db'), { key })
    expect(screen.getByTestId('announcement').textContent).toContain('host-b: Can take it.')
    await fireEvent.keyDown(card('shop-db'), { key: 'Enter' })
    const dialog = await screen.findByTestId('confirm-move')
    expect(dialog.textContent).toContain('Move shop-db to host-b?')
    await fireEvent.input(within(dialog).getByLabelText('Copy speed limit'), { target: { value: '32' } })
    await fireEvent.click(within(dialog).getByLabelText('Let it converge'))
    await fireEvent.click(within(dialog).getByTestId('confirm-submit'))
    await waitFor(() => expect(asked).toHaveBeenCalledOnce())
    const [post] = posts()
    expect(await post?.json()).toEqual({
      vm: 1,
      target: 2,
      options: { bandwidth_limit: 32 * 1024 ** 2, auto_converge: true, post_copy: false, guard_memory: false },
    })
    expect(post?.headers.get('Idempotency-Key')).toMatch(/^[0-9a-f]{32}$/)
    expect(screen.queryByTestId('confirm-move')).toBeNull()
  })

  it('Escape puts back, and nothing was sent', async () => {
    show()
    await fireEvent.keyDown(card('shop-db'), { key: ' ' })
    await screen.findAllByTestId('verdict')
    await fireEvent.keyDown(card('shop-db'), { key: 'Escape' })
    expect(screen.queryByTestId('verdict')).toBeNull()
    expect(posts()).toEqual([])
  })

  it('a drop on a host that cannot take it says why and offers nothing to send', async () => {
    show()
    await fireEvent.keyDown(card('shop-db'), { key: ' ' })
    await screen.findAllByTestId('verdict')
    for (const key of 'host-c') await fireEvent.keyDown(card('shop-db'), { key })
    await fireEvent.keyDown(card('shop-db'), { key: 'Enter' })
    const dialog = await screen.findByTestId('confirm-move')
    expect(dialog.textContent).toContain('host-c cannot take shop-db')
    expect(dialog.textContent).toContain('Copy it first.')
    expect(within(dialog).queryByTestId('confirm-submit')).toBeNull()
  })
})

describe('the board by button', () => {
  it('lists every other host with its verdict, and sends only what can go', async () => {
    const { asked } = show()
    await fireEvent.click(within(card('shop-db')).getByTestId('move-button'))
    const dialog = await screen.findByTestId('confirm-move')
    await within(dialog).findByRole('radio', { name: 'host-c: Cannot take it', hidden: true })
    const submit = within(dialog).getByTestId<HTMLButtonElement>('confirm-submit')
    await fireEvent.click(within(dialog).getByRole('radio', { name: /host-c/, hidden: true }))
    expect(submit.disabled).toBe(true)
    await fireEvent.click(within(dialog).getByRole('radio', { name: /host-b/, hidden: true }))
    expect(submit.disabled).toBe(false)
    expect(within(dialog).queryByRole('radio', { name: /host-a/, hidden: true })).toBeNull()
    await fireEvent.click(submit)
    await waitFor(() => expect(asked).toHaveBeenCalledOnce())
  })

  it('says what the server says when it refuses, with a link to the other move', async () => {
    answers.refuse = () =>
      json(
        {
          type: 'about:blank',
          title: 'This VM is moving already',
          status: 409,
          detail: 'shop-db is on its way to host-c.',
          code: 'vm_already_moving',
          remedy: 'Wait for it to end.',
          facts: { migration: 'OTHER001' },
        },
        409,
      )
    const { asked } = show()
    await fireEvent.click(within(card('shop-db')).getByTestId('move-button'))
    const dialog = await screen.findByTestId('confirm-move')
    await fireEvent.click(await within(dialog).findByRole('radio', { name: /host-b/, hidden: true }))
    await waitFor(() => expect(within(dialog).getByTestId<HTMLButtonElement>('confirm-submit').disabled).toBe(false))
    await fireEvent.click(within(dialog).getByTestId('confirm-submit'))
    const refusal = await within(dialog).findByTestId('refusal')
    expect(refusal.textContent).toContain('shop-db is on its way to host-c.')
    expect(refusal.querySelector('a')?.getAttribute('href')).toBe('/migrations/OTHER001')
    expect(asked).not.toHaveBeenCalled()
  })
})

describe('what the board tells', () => {
  it('a person who may not move sees no button and lifts nothing', async () => {
    show(aBoard({ vms: [aVm(1, 'shop-db', { may_move: false })] }))
    expect(screen.queryByTestId('move-button')).toBeNull()
    await fireEvent.keyDown(card('shop-db'), { key: ' ' })
    expect(requests).toEqual([])
  })

  it('a moving VM stays on its host, with a ghost where it goes and no second move', () => {
    const vms = [aVm(1, 'shop-db', { migration: 'MOVE0001' })]
    show(aBoard({ vms, migrations: [aMigration('MOVE0001')] }))
    expect(within(column('host-a')).getByTestId('vm-card').textContent).toContain('moving to host-b · Copying memory, pass 2')
    expect(within(column('host-b')).getByTestId('ghost').textContent).toContain('arriving from host-a')
    expect(screen.queryByTestId('move-button')).toBeNull()
  })

  it('a host that cannot be reached says why, and as of when it is shown', () => {
    const away = aHost(1, 'host-a', { state: 'unreachable', state_reason: 'Connection refused.', cpu_load: null })
    show(aBoard({ hosts: [away] }))
    expect(column('host-a').textContent).toContain('Cannot be reached')
    expect(column('host-a').textContent).toContain('Connection refused.')
    expect(column('host-a').textContent).toMatch(/as of \d/)
  })

  it('a name made of markup is only a name', () => {
    show(aBoard({ vms: [aVm(1, '<img src=x onerror=alert(1)>')] }))
    expect(document.querySelector('img')).toBeNull()
    expect(card('<img src=x onerror=alert(1)>').textContent).toContain('<img src=x onerror=alert(1)>')
  })
})
