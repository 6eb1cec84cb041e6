-- What calls an integration: what is live of another one, or a draft of it. Whether there is
-- anything to be called under that id is another matter.
create table caller (
    called_id uuid not null,
    integration_id uuid not null references integration,
    -- Null for what is live.
    draft_id uuid references draft,
    organization_id uuid not null,
    constraint caller_called_key unique nulls not distinct (called_id, integration_id, draft_id)
);

-- What one integration or draft calls, to be replaced.
create index caller_integration_idx on caller (integration_id, draft_id);

alter table caller enable row level security;
alter table caller force row level security;
create policy caller_border on caller using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- By their text, as functions on JSON refuse some that is kept: an id under that name in another
-- kind of step is taken for a call, too, until what has it is published or saved with other calls.
with body as (
    select integration.integration_id, null::uuid as draft_id, integration.organization_id,
        body::text as body
    from integration
    join version on version_id = live_version_id
    join document on document.organization_id = integration.organization_id
        and document.hash = version.hash
    union all
    select integration_id, draft_id, organization_id, document::text from draft
    where state not in ('published', 'discarded')
)
insert into caller (called_id, integration_id, draft_id, organization_id)
select distinct found[1]::uuid, integration_id, draft_id, organization_id
from body cross join lateral regexp_matches(
    body,
    '"integration"\s*:\s*"\s*([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\s*"', 'g'
) as found
where body like '%"integration.call"%';

-- Last, as nobody can take in, claim or write anything from here on.

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
