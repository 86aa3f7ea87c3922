/** What TLS is spoken with, looked at before it is used: OpenSSL says what is wrong, and not with which file. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"

/** PEM files. */
export interface Tls {
  readonly keyFile: string
  readonly certFile: string
}

/** What is wrong with them; `undefined` where nothing is. */
export const tlsProblem = ({ certFile, keyFile }: Tls): string | undefined => {
  const [keyPem, certPem] = [textOf(keyFile), textOf(certFile)]
  if (keyPem === undefined) return `TLS_KEY_FILE: the file ${keyFile} cannot be read`
  if (certPem === undefined) return `TLS_CERT_FILE: the file ${certFile} cannot be read`
  const [key, cert] = [keyIn(keyPem), certificateIn(certPem)]
  if (key === undefined && cert === undefined && isCertificate(keyPem) && isKey(certPem))
    return "TLS_KEY_FILE has the certificate and TLS_CERT_FILE the key; swap them"
  if (key === undefined)
    return `TLS_KEY_FILE: ${keyFile} has no private key in PEM (-----BEGIN PRIVATE KEY-----) without a passphrase`
  if (cert === undefined)
    return `TLS_CERT_FILE: ${certFile} has no certificate in PEM (-----BEGIN CERTIFICATE-----)`
  return cert.checkPrivateKey(key)
    ? undefined
    : `TLS_KEY_FILE: ${keyFile} is not the key of the first certificate in TLS_CERT_FILE, ${certFile}`
}

const isCertificate = (pem: string): boolean => pem.includes("-----BEGIN CERTIFICATE-----")
const isKey = (pem: string): boolean => /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)

const textOf = (file: string): string | undefined => attempt(() => readFileSync(file, "utf8"))
const keyIn = (pem: string): KeyObject | undefined => attempt(() => createPrivateKey(pem))
const certificateIn = (pem: string): X509Certificate | undefined => attempt(() => new X509Certificate(pem))

const attempt = <A>(make: () => A): A | undefined => {
  try {
    return make()
  } catch {
    return undefined
  }
}
