-- Events, runs, what their steps did, the queue of runs that want a worker, and schedules.
--
-- `event`, `run` and `run_record` are history and grow without end; their keys begin with time
-- (version 7 UUIDs), so that they can be partitioned by it. They have no foreign keys: a
-- reference to the integration would lock its row, which is hot, once for each event.

-- What a trigger received and accepted. Durable before the sender is told so.
create table event (
    event_id uuid primary key,
    organization_id uuid not null,
    integration_id uuid not null,
    -- What kind of trigger took it in.
    kind text not null,
    -- What the expression `trigger` stands for.
    payload json not null,
    accepted_at timestamptz not null default now(),
    constraint event_kind_check check (kind in ('webhook', 'schedule', 'manual', 'test'))
);

alter table event enable row level security;
alter table event force row level security;
create policy event_border on event using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- One execution of a document, pinned by hash. Room is left in each page, so that an update
-- stays in it and touches no index; for the same reason no index mentions `state`.
create table run (
    run_id uuid primary key,
    organization_id uuid not null,
    integration_id uuid not null,
    event_id uuid not null,
    hash text not null,
    is_test boolean not null,
    -- Of a live run.
    version_number integer,
    -- Of a test.
    draft_id uuid,
    draft_revision integer,
    scope json,
    state text not null,
    error text,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    constraint run_state_check check (state in
        ('queued', 'running', 'waiting', 'succeeded', 'failed', 'canceled')),
    constraint run_of_check check (is_test = (draft_id is not null and draft_revision is not null
        and scope is not null) and is_test = (version_number is null))
) with (fillfactor = 75);

-- The list of an organization's runs, and of one integration's, newest first; without tests.
create index run_organization_idx on run (organization_id, run_id) where not is_test;
create index run_integration_idx on run (integration_id, run_id) where not is_test;
-- The last test of a draft.
create index run_draft_idx on run (draft_id, run_id) where is_test;

alter table run enable row level security;
alter table run force row level security;
create policy run_border on run using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- What the steps of a run did, in the order in which it was written: one row for all records of
-- a run that became durable together. The journal: what is here is never done again.
create table run_record (
    run_id uuid not null,
    seq bigint generated always as identity,
    organization_id uuid not null,
    -- An array of domain::run::StepRecord.
    records json not null,
    constraint run_record_pkey primary key (run_id, seq)
);

alter table run_record enable row level security;
alter table run_record force row level security;
create policy run_record_border on run_record using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Runs that want a worker or have one. Narrow, deleted from when a run ends, vacuumed often:
-- its size is what goes on now, never history. It names no organization and holds no content.
create table run_queue (
    run_id uuid primary key,
    -- From then on it wants a worker.
    due_at timestamptz not null default now(),
    -- Until then it belongs to `worker`; null when nobody has it.
    lease_until timestamptz,
    worker uuid,
    -- Grows with each claim. A write that names an older one is refused.
    fence bigint not null default 0,
    -- How often it was taken from a worker that went silent: a run that kills its workers is
    -- given up after a few.
    takeovers integer not null default 0
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);

-- Claims go through it in the order of `due_at`; leases are not part of it, so that claiming and
-- renewing touch no index.
create index run_queue_due_idx on run_queue (due_at);

-- When the live version's schedule fires next. Absent while the integration is disabled.
create table schedule (
    integration_id uuid primary key references integration,
    organization_id uuid not null,
    cron text not null,
    time_zone text not null,
    next_fire timestamptz not null
);

-- Finds what is due.
create index schedule_next_fire_idx on schedule (next_fire);

alter table schedule enable row level security;
alter table schedule force row level security;
create policy schedule_border on schedule using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Each fire that became a run: an instant fires once, also with many schedulers and after a
-- clock was set back.
create table schedule_fire (
    integration_id uuid not null,
    fire_at timestamptz not null,
    organization_id uuid not null,
    run_id uuid not null,
    constraint schedule_fire_pkey primary key (integration_id, fire_at)
);

alter table schedule_fire enable row level security;
alter table schedule_fire force row level security;
create policy schedule_fire_border on schedule_fire using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
