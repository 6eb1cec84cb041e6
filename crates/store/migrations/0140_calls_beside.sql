-- A run may wait for several runs that it called, which are beside each other: those of which
-- `run` says `caller_waits`. So its place in the queue names none of them any more.
alter table run_queue drop column awaits;
-- A run that it called was over since a worker claimed it, which that worker may not have seen:
-- then it does not wait.
alter table run_queue add column has_returned boolean not null default false;

-- Lets runs go on that wait for one that is over; returns how many were in the queue. Whoever has
-- a worker learns of it when it begins to wait. Volatile: it sees what was committed when it
-- begins, and not only what was when the statement did that calls it. So of a run that is resumed
-- meanwhile, it finds the new place.
create function wake_callers(callers uuid[]) returns bigint language plpgsql volatile as $$
declare
    woken bigint;
begin
    with waiting as (
        -- Several may end at this moment that the same ones wait for.
        select run_id from run_queue where run_id = any(callers) order by run_id for update
    )
    update run_queue set due_at = least(due_at, now()), has_returned = true
    from waiting where run_queue.run_id = waiting.run_id;
    get diagnostics woken = row_count;
    return woken;
end
$$;
