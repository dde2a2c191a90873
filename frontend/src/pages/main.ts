import '../tokens/tokens.css'
import '../tokens/base.css'
import { mount } from 'svelte'
import { readBoot } from '../api/boot'
import { fetchBoard } from '../api/calls'
import { openFeed } from '../realtime/feed'
import { Live } from '../store/live.svelte'
import { speakWanted } from '../ui/words.svelte'
import App from './App.svelte'

function signIn(): void {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`)
}

const boot = readBoot(document)
const live = new Live({ fetchBoard, openFeed, signedOut: signIn, now: () => new Date() })
const target = document.getElementById('app')
if (!target) throw new Error('The shell has no place for the app.')

const joined = live.start()
await speakWanted()
mount(App, { target, props: { boot, live } })
await joined
