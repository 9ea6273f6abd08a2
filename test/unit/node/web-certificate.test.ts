import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { defaultConfig } from '../../../src/model/index.ts'
import { webHosts } from '../../../src/node/home.ts'
import { keptWebCertificate } from '../../../src/node/web-certificate.ts'
import { makeWebCertificate } from '../../../src/trust/index.ts'

void t.test('a web certificate is made once, and anew when names change or it is damaged', async t => {
  const path = join(t.testdir(), 'web.json')
  const made = keptWebCertificate(path, ['till.local', '10.0.0.7'])
  t.equal(new X509Certificate(made.cert).subjectAltName, 'DNS:till.local, IP Address:10.0.0.7')
  if (process.platform !== 'win32') t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(keptWebCertificate(path, ['till.local', '10.0.0.7']), made, 'the same after a switch')
  const moved = keptWebCertificate(path, ['till.local', '10.0.0.8'])
  t.not(moved.cert, made.cert)
  t.same(keptWebCertificate(path, ['till.local', '10.0.0.8']), moved)
  const whole = readFileSync(path, 'utf8')
  for (const damaged of ['', whole.slice(0, -40), '[]', JSON.stringify({ ...JSON.parse(whole), key: made.key })]) {
    writeFileSync(path, damaged)
    const again = keptWebCertificate(path, ['till.local', '10.0.0.8'])
    t.ok(new X509Certificate(again.cert).subjectAltName)
    t.not(again.cert, moved.cert)
    t.same(keptWebCertificate(path, ['till.local', '10.0.0.8']), again, 'mended')
  }
})

void t.test(
  'where nothing can be written there is one for this time',
  { skip: process.getuid?.() === 0 && 'root writes everywhere' },
  async t => {
    const dir = t.testdir()
    chmodSync(dir, 0o500)
    t.match(keptWebCertificate(join(dir, 'web.json'), ['till.local']).cert, 'BEGIN CERTIFICATE')
  },
)

void t.test('it names all by which people reach the node, and nothing that is no name', async t => {
  const config = {
    ...defaultConfig('Shop-7'),
    listen: '0.0.0.0:8443',
    advertise: ['10.0.0.7:8443', '[2001:db8::7]:8443', 'Shop7.example:443'],
    hosts: ['till.lan', 'till.lan:9443', 'no name', '*.evil'],
  }
  t.same(webHosts(config), ['10.0.0.7', '2001:db8::7', 'shop7.example', 'till.lan', 'shop-7', 'localhost', '127.0.0.1', '::1'])
  t.notOk(webHosts({ ...config, name: 'Tills & more' }).some(host => host.includes('&')))
  const cert = new X509Certificate(makeWebCertificate(webHosts(config)).cert)
  for (const name of ['till.lan', 'shop-7', 'localhost']) t.equal(cert.checkHost(name), name)
  for (const ip of ['10.0.0.7', '2001:db8::7', '::1']) t.equal(cert.checkIP(ip), ip)
})
