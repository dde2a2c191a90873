"""From a change at the hypervisor to the text in a browser's DOM."""

import time

import libvirt
from playwright.sync_api import Page, sync_playwright

from tests.bench.figures import Figures, percentile
from tests.browser.windows import CHROMIUM, FLAGS
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage

GUEST, HOST = "wiki", "host-c"
CHANGES = 40

WATCH = """
name => {
  const state = () => document.querySelector(`[data-testid=vm-card][data-vm-name="${name}"]`)?.dataset.state;
  window.seen = [];
  let last = state();
  new MutationObserver(() => {
    const now = state();
    if (now && now !== last) { last = now; window.seen.push([now, Date.now()]); }
  }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}
"""


def sign_in(page: Page, stage: Stage) -> None:
    """Sign in as the administrator and wait for the board."""
    person = stage.sign_ins[0]
    page.goto(f"{stage.address}/sign-in")
    page.fill("input[name=username]", person["username"])
    page.fill("input[name=password]", person["password"])
    page.click("button[type=submit]")
    page.wait_for_selector(f'[data-testid=vm-card][data-vm-name="{GUEST}"]')


def delay(page: Page, domain: libvirt.virDomain, wanted: str) -> float:
    """Change the guest's state; answer the ms until the card said so, from before the change."""
    page.evaluate("() => { window.seen = []; }")
    began = time.time() * 1000
    domain.suspend() if wanted == "paused" else domain.resume()
    page.wait_for_function("wanted => window.seen.some(([state]) => state === wanted)", arg=wanted, timeout=10_000)
    at = page.evaluate("wanted => window.seen.find(([state]) => state === wanted)[1]", wanted)
    return float(at) - began


def measure(stage: Stage, lab: Lab, figures: Figures) -> None:
    """Pause and resume a guest behind the board's back, and watch its card."""
    domain = libvirt.open(lab.uri(HOST)).lookupByName(GUEST)
    samples: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        sign_in(page, stage)
        page.evaluate(WATCH, GUEST)
        for number in range(CHANGES):
            samples.append(delay(page, domain, "paused" if number % 2 == 0 else "running"))
            time.sleep(0.35 + 0.05 * (number % 7))
        browser.close()
    figures.add(
        "change_to_dom_p95_ms",
        percentile(samples, 0.95),
        samples,
        bound=300,
        what="libvirt call that changes a guest until the card's DOM says so, ms",
    )
