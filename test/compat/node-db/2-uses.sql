-- Beside what the code of the schema before did.
insert into session (hash, name, keyid, wrapped, made_at, used_at) values ('cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'anna', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'wrapped', 1000, 1000);
delete from session where keyid = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' and hash not in
  (select hash from session where keyid = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' order by used_at desc, made_at desc limit 9);
select * from session where hash = 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc';
select count(*) as n from session;
update session set used_at = 2000 where hash = 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc';
delete from session where used_at < 500;
