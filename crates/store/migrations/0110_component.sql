-- Components of connectors: WebAssembly by its hash. Versions and runs name them, so they stay when
-- their connector goes.

create table component (
    organization_id uuid not null references organization,
    -- The SHA-256 of the bytes, in hexadecimal.
    hash text not null,
    bytes bytea not null,
    imported_by uuid not null references account,
    imported_at timestamptz not null default now(),
    constraint component_pkey primary key (organization_id, hash)
);

-- It is compressed as far as it can be by who wrote it.
alter table component alter column bytes set storage external;

alter table component enable row level security;
alter table component force row level security;
create policy component_border on component using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
