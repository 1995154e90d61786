-- After the load: where the next ids begin, and what each role of the demo's application may do.

-- In the transaction that makes it, a sequence's steps are not written to WAL either; a crash would take them back.
select setval(pg_get_serial_sequence(name, 'id'), 10000000)
  from unnest(array['public.users', 'public.rooms', 'public.presets', 'public.workflows', 'public.invitations',
                    'public.question_history']) as name;

grant usage on schema public to web_api, worker, reporting, room_signaling;
grant select on public.users, public.rooms, public.presets, public.workflows, public.invitations, public.question_history
   to web_api, worker, reporting, room_signaling;
grant insert, update on public.users, public.rooms, public.presets, public.question_history to web_api;
grant insert, update on public.workflows, public.rooms to worker;
grant update on public.rooms to room_signaling;
grant videochat_owner to deployer;
