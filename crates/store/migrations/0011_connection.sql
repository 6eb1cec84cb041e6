-- Connections: credentials for outside systems, and where they may be sent.

create table connection (
    connection_id uuid primary key,
    organization_id uuid not null references organization,
    name text not null,
    -- A key of domain::connection::Kind.
    kind text not null,
    -- Names of headers, of the query parameter, or of the user: nothing secret.
    names text[] not null,
    -- The origins that it may be sent to, in the form of domain::connection::origin.
    origins text[] not null,
    created_by uuid not null references account,
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    -- To the half minute: a connection that is used all the time is not written all the time.
    used_at timestamptz,
    -- What went wrong with the latest request that used it.
    error text
);

-- A person tells them apart by their names.
create unique index connection_name_key on connection (organization_id, lower(name));

alter table connection enable row level security;
alter table connection force row level security;
create policy connection_border on connection using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- What is secret of a connection. Each is sealed for its connection, its variant and its field: one
-- that is copied to another row opens nothing.
create table connection_secret (
    connection_id uuid not null references connection on delete cascade,
    organization_id uuid not null references organization,
    -- `live`, or `test`: what tests use in place of it.
    variant text not null,
    -- One of domain::connection::Kind::fields.
    field text not null,
    sealed bytea not null,
    constraint connection_secret_pkey primary key (connection_id, variant, field),
    constraint connection_secret_variant_check check (variant in ('live', 'test'))
);

alter table connection_secret enable row level security;
alter table connection_secret force row level security;
create policy connection_secret_border on connection_secret using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
