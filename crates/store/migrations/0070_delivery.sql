-- Deliveries of events whose senders name them, so that what is sent again starts no second run.

-- The name that a sender gave to an event that was accepted, and the run that it started. Only
-- webhooks that say where that name is have rows. Written with the event, in the same statement.
create table delivery (
    integration_id uuid not null,
    -- As domain::delivery::Source reads it: 255 bytes at most.
    name text not null,
    -- Where it was found (domain::delivery::Source::key): the same name from elsewhere is another
    -- event's, so that a publish that looks elsewhere swallows nothing.
    source text not null,
    organization_id uuid not null,
    run_id uuid not null,
    -- How often it came again.
    repeats integer not null default 0,
    at timestamptz not null default now(),
    constraint delivery_pkey primary key (integration_id, name, source)
) with (fillfactor = 85);

-- Finds those that are old enough to be forgotten.
create index delivery_at_idx on delivery (at);

alter table delivery enable row level security;
alter table delivery force row level security;
create policy delivery_border on delivery using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- What its sender calls an event, when the webhook says where that is.
alter table event add column delivery_name text;

-- Where a version's webhook finds that name: a domain::delivery::Source, null for nowhere.
alter table version add column delivery_source json;

-- Takes deliveries of named events (null for one without a name) and returns those that started no
-- run, each with the run of an earlier delivery of its event. Of several of one event the first is
-- kept; whoever brings the same name at the same time waits here for whoever came first. Names are
-- locked in order, so that nobody waits in a circle. A function, so that the statement that accepts
-- events does not even open the table when no event has a name.
create function deliver(
    integrations uuid[], organizations uuid[], sources text[], names text[], runs uuid[])
    returns table (run_id uuid, first_id uuid) language plpgsql volatile as $$
#variable_conflict use_column
begin
    return query
        with given as (
            select * from unnest(integrations, organizations, sources, names, runs)
                as given (integration_id, organization_id, source, name, run_id)
            where name is not null
        ), delivered as (
            insert into delivery (integration_id, name, source, organization_id, run_id, repeats)
            select integration_id, name, source, organization_id,
                (array_agg(run_id order by run_id))[1], count(*) - 1
            from given
            group by integration_id, name, source, organization_id
            order by integration_id, name, source
            on conflict (integration_id, name, source)
                do update set repeats = delivery.repeats + excluded.repeats + 1
            returning integration_id, name, source, run_id
        )
        select given.run_id, delivered.run_id
        from given join delivered using (integration_id, name, source)
        where given.run_id <> delivered.run_id;
end
$$;
