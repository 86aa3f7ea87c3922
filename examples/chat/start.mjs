/** What `npm start chat` sets: everybody who reaches it may read and write. */
export const start = () => {
  process.env.ANONYMOUS_READ ??= "chat"
  process.env.ANONYMOUS_WRITE ??= "chat"
}
