-- What holds the runs of an integration back (at most so many at once, or paused), and a queue
-- that is gone through in turn, so that nobody waits behind all that another has waiting.

-- Only integrations that something holds back have a row: most have none.
create table throttle (
    integration_id uuid primary key references integration,
    organization_id uuid not null references organization,
    -- At most so many runs have begun and are not over. With one, they follow each other in the
    -- order in which their events were accepted. Null for no limit.
    at_once integer,
    -- Since when no run begins.
    paused_at timestamptz,
    constraint throttle_holds_check check (at_once is not null or paused_at is not null),
    constraint throttle_at_once_check check (at_once between 1 and 1000)
);

alter table throttle enable row level security;
alter table throttle force row level security;
create policy throttle_border on throttle using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- The places that a throttle gives: runs of such an integration that have begun and are not over,
-- whether a worker has them, or they wait for a time.
create table throttle_place (
    run_id uuid primary key,
    integration_id uuid not null,
    organization_id uuid not null
);

-- Counts the places of one integration.
create index throttle_place_integration_idx on throttle_place (integration_id);

alter table throttle_place enable row level security;
alter table throttle_place force row level security;
create policy throttle_place_border on throttle_place using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A run waits in a line: the integration's, or for a test the draft's.
alter table run_queue add column line_id uuid;
update run_queue
set line_id = coalesce(run.draft_id, run.integration_id)
from run where run.run_id = run_queue.run_id;
alter table run_queue alter column line_id set not null;

-- Claims go from line to line, and in each in the order of `due_at`. Leases are no part of it, so
-- that claiming and renewing touch no index.
drop index run_queue_due_idx;
create index run_queue_line_idx on run_queue (line_id, due_at, run_id);

-- Whoever lets runs begin reads throttles under this lock, shared; whoever sets one has it alone.
-- So a run begins either before a throttle is set, and is counted then, or heeds it. The three
-- functions are volatile: each of their statements sees what was committed when it began.
create function lock_throttles() returns void language sql volatile as $$
    select pg_advisory_xact_lock(20, 1)
$$;

-- Returns which of these integrations are throttled, for as long as the transaction lasts.
create function throttled(integrations uuid[]) returns setof uuid language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(20, 1);
    return query select integration_id from throttle where integration_id = any(integrations);
end
$$;

-- Returns which of these integrations are throttled, and how many runs of each may begin. Whoever
-- is told so alone may let them begin until its transaction ends; others are told 0 meanwhile.
create function throttle_rooms(integrations uuid[])
    returns table (line_id uuid, room integer) language plpgsql volatile as $$
declare
    ours uuid[];
begin
    perform pg_advisory_xact_lock_shared(20, 1);
    ours := array(
        select integration_id from throttle
        where integration_id = any(integrations) and paused_at is null
        for update skip locked
    );
    return query
        select integration_id, case when integration_id = any(ours)
            then greatest(0, at_once - (
                select count(*)::integer from throttle_place
                -- A run that ended while the throttle was set has left its place behind.
                join run_queue using (run_id)
                where throttle_place.integration_id = throttle.integration_id
            ))
            else 0 end
        from throttle where integration_id = any(integrations);
end
$$;
