-- Runs that a step of another run started: calls.

alter table event drop constraint event_kind_check;
alter table event add constraint event_kind_check
    check (kind in ('webhook', 'schedule', 'manual', 'test', 'call'));

-- Of a run that was called: the run that called it, the step of it with its rounds, and which call
-- of that step it is (a retry calls again). The integrations of the runs that led to it, outermost
-- first, say how deep calls are nested and whether they go in a circle.
alter table run add column caller_id uuid;
alter table run add column caller_path text;
alter table run add column call_number integer;
alter table run add column callers uuid[];
-- Whether the run that called it waits for its end.
alter table run add column caller_waits boolean;
-- What it gave to the run that called it.
alter table run add column result json;
alter table run add constraint run_caller_check check (
    num_nulls(caller_id, caller_path, call_number, callers, caller_waits) in (0, 5)
);

-- The calls of one run. One call starts one run, whatever is written twice.
create unique index run_caller_idx on run (caller_id, caller_path, call_number)
    where caller_id is not null;

-- The called run of which this one is told when it goes on. While it waits for that one's end, its
-- `due_at` is the end of time.
alter table run_queue add column awaits uuid;
