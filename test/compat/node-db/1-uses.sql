-- What the code of that schema does to the database, word for word, with values in place of its parameters.
insert into fact values ('status', 'n1', '', 1, 1, 'first', 's1')
  on conflict do update set epoch = excluded.epoch, version = excluded.version, body = excluded.body, sig = excluded.sig;
insert into fact values ('status', 'n1', '', 1, 2, 'second', 's2')
  on conflict do update set epoch = excluded.epoch, version = excluded.version, body = excluded.body, sig = excluded.sig;
insert into fact values ('outcome', 'n1', 'o', 1, 1, 'gone', 's')
  on conflict do update set epoch = excluded.epoch, version = excluded.version, body = excluded.body, sig = excluded.sig;
delete from fact where kind = 'outcome' and owner = 'n1' and name = 'o';
select kind, owner, name, epoch, version, body, sig from fact;
insert or ignore into document values ('dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', 'a plan');
select text from document where digest = 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd';
select digest from document;
insert into memory values ('epoch', '6') on conflict do update set value = excluded.value;
insert into memory values ('epoch', '7') on conflict do update set value = excluded.value;
select value from memory where key = 'epoch';
insert into invite (id, envelope, uses, expires_at) values ('i1', 'signed', 2, '2030-01-01T00:00:00.000Z');
select * from invite where id = 'i1';
select 1 from redeemed where invite = 'i1' and node = 'n2';
update invite set used = used + 1 where id = 'i1' and used < uses;
insert or ignore into redeemed values ('i1', 'n2');
