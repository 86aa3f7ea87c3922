/** Addresses as TON writes them: 48 characters of base64url with a checksum that holds, of accounts nobody has. */
import type { Dice } from "./Dice.ts"

const crc16 = (bytes: Uint8Array): number => {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    }
    crc &= 0xffff
  }
  return crc
}

export const makeAddress = (dice: Dice): string => {
  const bytes = Buffer.alloc(36)
  // Bounceable, basechain: what makes an address start with EQ.
  bytes[0] = 0x11
  for (let at = 2; at < 34; at += 4) {
    bytes.writeUInt32BE(dice.word(), at)
  }
  bytes.writeUInt16BE(crc16(bytes.subarray(0, 34)), 34)
  return bytes.toString("base64url")
}
