-- Deliveries of events whose senders name them, so that what is sent again starts no second run.

-- The name that a sender gave to an event that was accepted, and the run that it started. Only
-- webhooks that say where that name is have rows. Written with the event, in the same statement.
create table delivery (
    integration_id uuid not null,
    -- As domain::delivery::Source reads it: 255 bytes at most.
    name text not null,
    organization_id uuid not null,
    run_id uuid not null,
    -- How often it came again.
    repeats integer not null default 0,
    at timestamptz not null default now(),
    constraint delivery_pkey primary key (integration_id, name)
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
