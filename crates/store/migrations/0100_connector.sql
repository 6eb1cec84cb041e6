-- Connectors: the actions of outside services, as data that an Admin imported.

create table connector (
    connector_id uuid primary key,
    organization_id uuid not null references organization,
    -- What it is known by, also when it is imported again.
    key text not null,
    title text not null,
    description text not null,
    version text not null,
    icon text not null,
    -- Where it came from: the name of a file, an address, or `Sluice`.
    source text not null,
    -- The SHA-256 of its canonical JSON.
    digest text not null,
    -- The connector itself, a domain::connector::Connector; json keeps the order of fields.
    content json not null,
    imported_by uuid not null references account,
    imported_at timestamptz not null default now(),
    constraint connector_key unique (organization_id, key)
);

alter table connector enable row level security;
alter table connector force row level security;
create policy connector_border on connector using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Its actions, so that one is had, and all are listed, without reading the whole connector.
create table connector_action (
    connector_id uuid not null references connector on delete cascade,
    organization_id uuid not null references organization,
    -- The order in which they are shown.
    position integer not null,
    key text not null,
    -- What a list shows: a domain::connector::Line.
    line json not null,
    -- What a step carries: a domain::connector::Declared.
    declared json not null,
    constraint connector_action_pkey primary key (connector_id, key)
);

alter table connector_action enable row level security;
alter table connector_action force row level security;
create policy connector_action_border on connector_action using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
