// What an eye would find on a page. Each function answers a list or a sentence that is empty where all is well.
(element, name) => {
  const told = (element) =>
    `${element.tagName}.${element.className} ${element.textContent.trim().replace(/\s+/g, ' ').slice(0, 40)}`

  /** What is wider than the window and not inside a frame that scrolls by itself. */
  const sticksOut = () => {
    const width = document.documentElement.clientWidth
    const scrolls = (element) => {
      for (let above = element.parentElement; above && above !== document.body; above = above.parentElement)
        if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(above).overflowX)) return true
      return false
    }
    const out = [...document.body.querySelectorAll('*')].filter((element) => {
      const { left, right, width: wide } = element.getBoundingClientRect()
      return wide > 1 && (right > width + 1 || left < -1) && !scrolls(element)
    })
    const page = document.scrollingElement
    return {
      by: page.scrollWidth - page.clientWidth,
      what: out.slice(0, 5).map(told),
    }
  }

  /** Why an element cannot be pressed at its middle; empty if it can. */
  const covered = (element) => {
    element.scrollIntoView({ block: 'center', inline: 'nearest' })
    const { left, top, width, height } = element.getBoundingClientRect()
    const [x, y] = [left + width / 2, top + height / 2]
    if (x < 0 || x > innerWidth || y < 0 || y > innerHeight) return `lies outside, at ${Math.round(x)}, ${Math.round(y)}`
    const hit = document.elementFromPoint(x, y)
    const isIt = hit && (element.contains(hit) || hit.closest('label')?.control === element)
    if (isIt) return ''
    return `is covered by ${hit?.tagName}.${hit?.className}`
  }

  /** Text with less contrast than WCAG AA asks for. */
  const faint = () => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1)
      canvas.fillStyle = colour
      canvas.fillRect(0, 0, 1, 1)
      return [...canvas.getImageData(0, 0, 1, 1).data]
    }
    const light = ([red, green, blue]) => {
      const [r, g, b] = [red, green, blue].map((part) => {
        const share = part / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const ground = (element) => {
      for (let each = element; each; each = each.parentElement) {
        const colour = rgba(getComputedStyle(each).backgroundColor)
        if (colour[3] === 255) return colour
      }
      return [255, 255, 255, 255]
    }
    const faint = []
    for (const element of document.body.querySelectorAll('*')) {
      const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim())
      if (!says || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue
      if (element.closest('.unseen, :disabled, [aria-disabled=true], option')) continue
      const [one, two] = [light(rgba(getComputedStyle(element).color)), light(ground(element))]
      const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)
      if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${told(element)}`)
    }
    return faint
  }

  /** What glides, fades or blinks. */
  const moving = () =>
    [...document.querySelectorAll('*')].flatMap((element) =>
      ['', '::before', '::after'].flatMap((part) => {
        const style = getComputedStyle(element, part || null)
        const lasts = (times) => times.split(',').some((time) => parseFloat(time) > 0)
        const glides = lasts(style.transitionDuration) || style.scrollBehavior === 'smooth'
        const plays = style.animationName !== 'none' && lasts(style.animationDuration)
        return glides || plays ? [`${told(element)}${part}`] : []
      }),
    )

  return { sticksOut, covered, faint, moving }[name](element)
}
