-- What each role of the demo's application may do.

grant usage on schema public to web_api, worker, reporting, room_signaling;
grant select on public.users, public.rooms, public.presets, public.workflows, public.question_history
   to web_api, worker, reporting, room_signaling;
grant insert, update on public.users, public.rooms, public.presets, public.question_history to web_api;
grant insert, update on public.workflows, public.rooms to worker;
grant update on public.rooms to room_signaling;
