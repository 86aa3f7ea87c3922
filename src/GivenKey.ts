/**
 * Keys that the server gives to appended rows: of fixed width, the time of the append first, so that they sort as text in
 * the order in which they were given. One is a place in a collection's time, whether or not its row is still there.
 */

const shape = /^[0-9a-z]{12}$/

export const isGivenKey = (key: string): boolean => shape.test(key)
