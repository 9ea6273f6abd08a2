/** Which Host headers are a node's own. */
import t from 'tap'
import { isOwnHost, type OwnHosts } from '../../../src/web/own-hosts.ts'

void t.test('names of config.json and the fleet, addresses of the machine, and no others', t => {
  const fleet = 'f'.repeat(52)
  const own: OwnHosts = {
    config: { name: 'Shop-7', listen: '0.0.0.0:8443', hosts: ['till.example', '198.51.100.9', '2001:db8::9', 'till.lan:9443'] },
    addresses: ['10.0.0.7:8443', '[2001:db8::7]:8443'],
    fleet,
    local: '::ffff:10.0.0.8',
    interfaces: () => ['192.168.1.7', 'fe80::1%eth0', '2001:DB8:0:0:0:0:0:AA'],
  }
  const good = [
    'localhost',
    '127.0.0.1:8443',
    '127.9.9.9',
    '[::1]',
    'shop-7:8443',
    `${'a'.repeat(52)}.${fleet}.shoal`,
    '10.0.0.7',
    '10.0.0.8:443',
    '[2001:db8:0::7]:1',
    '192.168.1.7',
    '[fe80::1]',
    '[2001:db8::aa]',
    'TILL.example:8443',
    'till.lan',
    '198.51.100.9:4433',
    '[2001:db8::9]:4433',
  ]
  for (const host of good) t.ok(isOwnHost(host, own), host)
  const bad = [
    '',
    'evil.example',
    '203.0.113.7',
    '203.0.113.7:8443',
    '[2001:db8::1]',
    '0.0.0.0',
    '[::]:8443',
    'f.shoal',
    'a@10.0.0.7',
    '10.0.0.7:x',
  ]
  for (const host of bad) t.notOk(isOwnHost(host, own), host)
  t.notOk(isOwnHost('10.0.0.8', { ...own, local: '' }), 'a request that was passed on has no address of its own')
  t.end()
})
