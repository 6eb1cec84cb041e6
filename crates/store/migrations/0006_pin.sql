-- Outputs that tests of a draft use instead of running the step. Beside the draft, not in its
-- document: a pin is no change to review, and no live run knows of it.
create table pin (
    draft_id uuid not null references draft,
    step_id uuid not null,
    organization_id uuid not null,
    output json not null,
    pinned_by uuid not null references account,
    pinned_at timestamptz not null default now(),
    constraint pin_pkey primary key (draft_id, step_id)
);

alter table pin enable row level security;
alter table pin force row level security;
create policy pin_border on pin using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
