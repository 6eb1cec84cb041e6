-- Integrations, their drafts and versions, and the documents that drafts, versions and runs pin.
--
-- Bodies are `json`, not `jsonb`: they are read whole and never searched, come back byte for byte
-- (a hash can be checked, a number keeps its form), and may hold \u0000, which jsonb refuses.

-- Content by hash, never changed: the hash is the SHA-256 of the canonical JSON. Each
-- organization has its own, so that equal content does not connect two of them.
create table document (
    organization_id uuid not null references organization,
    hash text not null,
    body json not null,
    created_at timestamptz not null default now(),
    constraint document_pkey primary key (organization_id, hash)
);

alter table document enable row level security;
alter table document force row level security;
create policy document_border on document using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

create table integration (
    integration_id uuid primary key,
    organization_id uuid not null references organization,
    name text not null,
    -- Whether triggers start it.
    enabled boolean not null default true,
    -- What triggers start; null before the first publish. Moved by publish only.
    live_version_id uuid,
    -- The last part of its webhook's address: 192 random bits, the same over all versions. It is
    -- an address that members look up, not a password, so it is kept as it is.
    webhook_token text not null,
    created_by uuid not null references account,
    created_at timestamptz not null default now(),
    constraint integration_webhook_token_key unique (webhook_token)
);

-- The organization page lists them.
create index integration_organization_idx on integration (organization_id);

alter table integration enable row level security;
alter table integration force row level security;
create policy integration_border on integration using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A change in progress. Its row is locked by every save, publish and discard.
create table draft (
    draft_id uuid primary key,
    organization_id uuid not null references organization,
    integration_id uuid not null references integration,
    title text not null,
    state text not null default 'editing',
    -- Grows by one with each save.
    revision integer not null default 1,
    -- The number of the version it started from; null when it started from nothing.
    base integer,
    -- The content it started with: together with the edits of all revisions, its whole history.
    start_hash text not null,
    -- Its content at `revision`.
    document json not null,
    -- The last part of the address at which test events for it are caught.
    catch_token text not null,
    created_by uuid not null references account,
    created_at timestamptz not null default now(),
    updated_by uuid not null references account,
    updated_at timestamptz not null default now(),
    constraint draft_catch_token_key unique (catch_token),
    constraint draft_start_fkey foreign key (organization_id, start_hash) references document,
    constraint draft_state_check check (state in
        ('editing', 'in_review', 'approved', 'changes_requested', 'published', 'discarded'))
);

-- The organization page lists the open ones.
create index draft_open_idx on draft (organization_id, integration_id)
    where state not in ('published', 'discarded');

alter table draft enable row level security;
alter table draft force row level security;
create policy draft_border on draft using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- One row a save.
create table draft_revision (
    draft_id uuid not null references draft,
    revision integer not null,
    organization_id uuid not null,
    -- Made by the browser: the same save sent twice is kept once and answered alike.
    save_id uuid not null,
    edits json not null,
    account_id uuid not null references account,
    at timestamptz not null default now(),
    constraint draft_revision_pkey primary key (draft_id, revision),
    constraint draft_revision_save_key unique (draft_id, save_id)
);

alter table draft_revision enable row level security;
alter table draft_revision force row level security;
create policy draft_revision_border on draft_revision using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- The last test events that came to a draft's own address; a few per draft.
create table caught_event (
    caught_event_id bigint generated always as identity primary key,
    draft_id uuid not null references draft,
    organization_id uuid not null,
    caught_at timestamptz not null default now(),
    payload json not null
);

-- Lists and trims the newest of one draft.
create index caught_event_draft_idx on caught_event (draft_id, caught_event_id);

alter table caught_event enable row level security;
alter table caught_event force row level security;
create policy caught_event_border on caught_event using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A published version: never changed, never deleted.
create table version (
    version_id uuid primary key,
    organization_id uuid not null references organization,
    integration_id uuid not null references integration,
    -- 1, 2, 3 … per integration.
    number integer not null,
    hash text not null,
    -- Key of its trigger in the catalog, so that routes and lists need not read the document.
    trigger text not null,
    -- The method that its webhook expects, such as 'POST' or 'any'; null for other triggers.
    method text,
    -- Whether some step answers the webhook.
    responds boolean not null,
    steps integer not null,
    title text not null,
    note text not null,
    draft_id uuid not null references draft,
    published_by uuid not null references account,
    published_at timestamptz not null default now(),
    constraint version_number_key unique (integration_id, number),
    -- A draft becomes a version at most once.
    constraint version_draft_key unique (draft_id),
    constraint version_document_fkey foreign key (organization_id, hash) references document
);

alter table version enable row level security;
alter table version force row level security;
create policy version_border on version using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

alter table integration add constraint integration_live_version_fkey
    foreign key (live_version_id) references version;
