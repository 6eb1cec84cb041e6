-- Triggers that poll: how far they are, and which items have started runs.

alter table event drop constraint event_kind_check;
alter table event add constraint event_kind_check
    check (kind in ('webhook', 'schedule', 'manual', 'test', 'call', 'poll'));

-- How the polling of an integration goes. The row outlives a publish, so that no item starts a
-- second run, also when another trigger was live in between, or another list was polled.
create table poll (
    integration_id uuid primary key references integration,
    organization_id uuid not null,
    -- When it is polled next; null while it is disabled, or another trigger is live.
    next_at timestamptz,
    -- Until then a process is at it.
    lease_until timestamptz,
    -- Grows with each claim, publish and new beginning. An answer to an older claim is refused.
    fence bigint not null default 0,
    -- The list that it is about and what its items are called (domain::poll::Poll::list_key).
    -- Under another one it begins anew.
    list_key text not null,
    -- What the cursor is (domain::poll::Poll::cursor_key). Under another one it is forgotten.
    cursor_key text not null,
    -- The greatest cursor that was seen.
    cursor json,
    -- Whether an answer was taken since it began.
    is_begun boolean not null default false,
    -- Whether the first answer starts runs; null for what the trigger says.
    starts_with_all boolean,
    last_at timestamptz,
    items integer not null default 0,
    started bigint not null default 0,
    error text,
    -- Polls that failed, one after the other.
    failures integer not null default 0
);

-- Finds what is due.
create index poll_next_at_idx on poll (next_at) where next_at is not null;

alter table poll enable row level security;
alter table poll force row level security;
create policy poll_border on poll using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Items that are known: written in the transaction that starts their runs, or takes them as old.
create table poll_item (
    integration_id uuid not null,
    -- What the item is called, 255 bytes at most.
    id text not null,
    organization_id uuid not null,
    -- In the order in which they came.
    seq bigint generated always as identity,
    constraint poll_item_pkey primary key (integration_id, id)
);

-- Finds those that came long ago.
create index poll_item_seq_idx on poll_item (integration_id, seq);

alter table poll_item enable row level security;
alter table poll_item force row level security;
create policy poll_item_border on poll_item using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
