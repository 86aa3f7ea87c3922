/**
 * CRC-32 of two pieces put together, from the CRCs of the pieces: what a gzip stream needs whose blocks were compressed
 * once for everybody, while each reader's trailer speaks of the blocks that reader got (RFC 1952, 2.3.1).
 *
 * A CRC is a polynomial over GF(2); appending n bytes multiplies it by x^8n modulo the CRC's own polynomial.
 */

const polynomial = 0xedb88320

/** The product of two polynomials modulo the CRC's, both bit-reversed as CRC-32 holds them. */
const multiply = (a: number, b: number): number => {
  let product = 0
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= b
    b = (b & 1) === 0 ? b >>> 1 : (b >>> 1) ^ polynomial
  }
  return product >>> 0
}

/** x^(2^n), for n up to 31; the powers repeat beyond. */
const squares: ReadonlyArray<number> = (() => {
  const table = [0x40000000]
  for (let n = 1; n < 32; n++) table.push(multiply(table[n - 1]!, table[n - 1]!))
  return table
})()

/** The factor by which a CRC is multiplied when this many bytes are appended. */
export const crcShift = (bytes: number): number => {
  let factor = 0x80000000
  // Eight bits a byte: the powers of two begin at the third.
  for (let n = bytes, k = 3; n > 0; n = Math.floor(n / 2), k++) {
    if (n % 2 === 1) factor = multiply(squares[k & 31]!, factor)
  }
  return factor
}

/** The CRC of the first piece and the second, `shift` being `crcShift` of the second's length. */
export const crcJoin = (first: number, second: number, shift: number): number =>
  (multiply(shift, first) ^ second) >>> 0
