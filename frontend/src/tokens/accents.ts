/** The four accents there are: three verdicts and movement; `quiet` is no accent at all. */
export type Accent = 'go' | 'care' | 'no' | 'move' | 'quiet'
