-- Beside what the code of the schemas before did.
insert into token (id, hash, name, made_by, keyid, made_at, expires_at) values ('t1', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'monitor', 'anna', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1000, 9000);
select * from token order by made_at, id;
select * from token where hash = 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc';
update token set used_at = 2000 where id = 't1';
select body, answer from answered where scope = 'anna' and key = 'k1';
delete from answered where at < 10;
insert into answered (scope, key, body, at) values ('anna', 'k1', 'asked', 1000);
update answered set answer = 'told' where scope = 'anna' and key = 'k1';
select 1 from audit where fact = 'order o';
insert into audit (at, who, via, address, action, object, detail, result, request, fact, prev, hash)
  values ('2026-11-24T10:00:00.000Z', 'anna', 'session', '127.0.0.1', 'login', '', '', 'ok', 'r1', null, '',
    '9622e446c6fb1cae739a327c5a965ae37761a8bc722a191b79039821fd89d81f');
insert into audit (at, who, via, address, action, object, detail, result, request, fact, prev, hash)
  values ('2026-11-24T10:00:01.000Z', 'anna', 'fact', '', 'order', 'till@1.0.0', '', 'ok', '', 'order o',
    '9622e446c6fb1cae739a327c5a965ae37761a8bc722a191b79039821fd89d81f', '92ee126b1117861c58557657e5aa59a8297e85b59a86f197acc84fd5942dc163');
delete from audit where seq <= (select max(seq) from audit) - 100000;
select * from audit where seq < 99 order by seq desc limit 9;
select count(*) as n from audit;
