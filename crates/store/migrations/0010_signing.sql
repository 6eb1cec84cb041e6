-- Secrets at rest, and the first of them: what the senders of webhooks sign their calls with.
--
-- Each organization has a data key of its own. It is wrapped by the master key, which this
-- database never sees, so that a copy of the database opens nothing.

create table data_key (
    organization_id uuid not null references organization,
    -- 1, 2, 3 …; the last one seals, all open.
    number integer not null,
    -- Which master key wraps it: a name made from the key, which does not lead back to it.
    master text not null,
    wrapped bytea not null,
    created_at timestamptz not null default now(),
    constraint data_key_pkey primary key (organization_id, number)
);

alter table data_key enable row level security;
alter table data_key force row level security;
create policy data_key_border on data_key using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A secret of an integration's webhook. Several at once, so that one can be exchanged for another
-- without a call being refused.
create table signing_secret (
    signing_secret_id uuid primary key,
    organization_id uuid not null references organization,
    integration_id uuid not null references integration,
    sealed bytea not null,
    created_by uuid not null references account,
    created_at timestamptz not null default now()
);

-- The page of an integration lists them; an event opens them.
create index signing_secret_integration_idx on signing_secret (integration_id);

alter table signing_secret enable row level security;
alter table signing_secret force row level security;
create policy signing_secret_border on signing_secret using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- How the calls of a version's webhook are signed; a key of domain::signing::Signature.
alter table version add column signature text not null default 'none';
