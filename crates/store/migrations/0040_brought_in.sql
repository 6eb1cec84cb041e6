-- Drafts that were brought into another draft of the same integration: the next merge of the two
-- starts from there, and whoever wrote what was brought in is an author of the draft it is in.

create table draft_brought_in (
    draft_id uuid not null references draft,
    -- The revision that the merge made.
    revision integer not null,
    organization_id uuid not null,
    from_draft_id uuid not null references draft,
    from_revision integer not null,
    at timestamptz not null default clock_timestamp(),
    constraint draft_brought_in_pkey primary key (draft_id, revision)
);

alter table draft_brought_in enable row level security;
alter table draft_brought_in force row level security;
create policy draft_brought_in_border on draft_brought_in using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
