-- Reviews of drafts: who was asked, what was said and decided, what the policy asks for, and who
-- is told.
--
-- Everything that decides about one draft happens under the lock of its row in `draft`. Times of
-- what is said and decided are those of the clock, not of the transaction: who waited for the lock
-- comes later.

-- A request to publish one draft. Kept for ever; the draft, or the version it became, shows it.
create table review (
    review_id uuid primary key,
    organization_id uuid not null references organization,
    draft_id uuid not null references draft,
    title text not null,
    -- Markdown: what the change is for.
    description text not null,
    state text not null default 'open',
    -- What lists need to know of the draft's content, written with each save. Whoever decides or
    -- publishes computes it anew from the content itself.
    fingerprint text not null,
    problems integer not null,
    -- The kinds of steps that the change touches, by which their owners are found.
    kinds text[] not null,
    -- The state of each rule when the review ended.
    checks json,
    created_by uuid not null references account,
    created_at timestamptz not null default clock_timestamp(),
    -- When something was last said, decided or saved, for all to see.
    updated_at timestamptz not null default clock_timestamp(),
    constraint review_state_check check (state in ('open', 'withdrawn', 'published', 'discarded'))
);

-- A draft has one open review at a time.
create unique index review_open_key on review (draft_id) where state = 'open';
-- All reviews of a draft.
create index review_draft_idx on review (draft_id, review_id);
-- The inbox lists the open ones, and the last that ended.
create index review_open_idx on review (organization_id, updated_at) where state = 'open';
create index review_ended_idx on review (organization_id, updated_at) where state <> 'open';

alter table review enable row level security;
alter table review force row level security;
create policy review_border on review using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Who was asked by name.
create table review_asked (
    review_id uuid not null references review,
    account_id uuid not null references account,
    organization_id uuid not null,
    -- When asked for the last time.
    at timestamptz not null default clock_timestamp(),
    constraint review_asked_pkey primary key (review_id, account_id)
);

alter table review_asked enable row level security;
alter table review_asked force row level security;
create policy review_asked_border on review_asked using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A verdict, never changed: the last of each person is the one that may count.
create table decision (
    decision_id uuid primary key,
    -- The order in which they were given.
    seq bigint generated always as identity,
    review_id uuid not null references review,
    organization_id uuid not null,
    account_id uuid not null references account,
    verdict text not null,
    message text not null,
    -- What was looked at: the draft's revision, and the fingerprint of its content there.
    revision integer not null,
    fingerprint text not null,
    at timestamptz not null default clock_timestamp(),
    constraint decision_verdict_check check (verdict in ('comment', 'approve', 'reject'))
);

-- The verdicts of a review, in order.
create index decision_review_idx on decision (review_id, seq);

alter table decision enable row level security;
alter table decision force row level security;
create policy decision_border on decision using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Comments on one thing. A thread is seen by others from its first sent comment on.
create table thread (
    thread_id uuid primary key,
    review_id uuid not null references review,
    organization_id uuid not null,
    -- A domain::review::Anchor.
    anchor json not null,
    -- Whether it speaks of what was before the change.
    on_base boolean not null,
    -- The draft's revision that was looked at.
    revision integer not null,
    -- What the anchored field said then; null without a field, or when it was not set.
    quoted json,
    started_by uuid not null references account,
    resolved_by uuid references account,
    resolved_at timestamptz,
    constraint thread_resolved_check check ((resolved_by is null) = (resolved_at is null))
);

-- The threads of a review.
create index thread_review_idx on thread (review_id, thread_id);

alter table thread enable row level security;
alter table thread force row level security;
create policy thread_border on thread using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

create table comment (
    comment_id uuid primary key,
    thread_id uuid not null references thread,
    review_id uuid not null references review,
    organization_id uuid not null,
    account_id uuid not null references account,
    -- Markdown; empty when it was deleted.
    body text not null,
    -- The value that the anchored field should have instead.
    suggestion json,
    applied_by uuid references account,
    -- The revision that applying it made.
    applied_revision integer,
    written_at timestamptz not null default clock_timestamp(),
    -- Null while it is pending: then only its author may know of it.
    sent_at timestamptz,
    edited_at timestamptz,
    deleted_at timestamptz,
    constraint comment_applied_check check ((applied_by is null) = (applied_revision is null))
);

-- The comments of a thread, in the order in which they were written.
create index comment_thread_idx on comment (thread_id, comment_id);
-- What is unread in a review, and who takes part in it.
create index comment_review_idx on comment (review_id, account_id);

alter table comment enable row level security;
alter table comment force row level security;
create policy comment_border on comment using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- What someone ticked as viewed, with the digest of what was seen: the tick holds while the digest
-- is still that of the change.
create table viewed (
    review_id uuid not null references review,
    account_id uuid not null references account,
    target text not null,
    digest text not null,
    organization_id uuid not null,
    constraint viewed_pkey primary key (review_id, account_id, target)
);

alter table viewed enable row level security;
alter table viewed force row level security;
create policy viewed_border on viewed using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- When someone last looked at a review, and at which revision of the draft.
create table looked (
    review_id uuid not null references review,
    account_id uuid not null references account,
    revision integer not null,
    at timestamptz not null default clock_timestamp(),
    organization_id uuid not null,
    constraint looked_pkey primary key (review_id, account_id)
);

alter table looked enable row level security;
alter table looked force row level security;
create policy looked_border on looked using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- The rules of review: one row for the organization (without an integration), and one for each
-- integration that has its own. Without a row the defaults of domain::review::Policy hold.
create table review_policy (
    organization_id uuid not null references organization,
    integration_id uuid references integration,
    -- A domain::review::Policy.
    policy json not null,
    constraint review_policy_key unique nulls not distinct (organization_id, integration_id)
);

alter table review_policy enable row level security;
alter table review_policy force row level security;
create policy review_policy_border on review_policy using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Who owns an integration, or the steps of a kind: one row for each owner. An owner who leaves
-- stays here and does not count: what is owned must not become free by that.
create table owner_rule (
    organization_id uuid not null references organization,
    integration_id uuid references integration,
    step_kind text,
    account_id uuid not null references account,
    constraint owner_rule_key
        unique nulls not distinct (organization_id, integration_id, step_kind, account_id),
    constraint owner_rule_scope_check check ((integration_id is null) <> (step_kind is null))
);

alter table owner_rule enable row level security;
alter table owner_rule force row level security;
create policy owner_rule_border on owner_rule using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A message to one member that something happened in a review.
create table notification (
    notification_id uuid primary key,
    organization_id uuid not null references organization,
    account_id uuid not null references account,
    -- A domain::review::Happening.
    happening text not null,
    by_account uuid not null references account,
    review_id uuid not null references review,
    thread_id uuid references thread,
    at timestamptz not null default clock_timestamp(),
    read_at timestamptz
);

-- The newest of one member, and how many are not read.
create index notification_account_idx
    on notification (organization_id, account_id, notification_id);
create index notification_unread_idx on notification (organization_id, account_id, review_id)
    where read_at is null;

alter table notification enable row level security;
alter table notification force row level security;
create policy notification_border on notification using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- The outbox: a notification that is to go out by e-mail as well, written with it.
create table mail (
    notification_id uuid primary key references notification,
    organization_id uuid not null,
    state text not null default 'waiting',
    attempts integer not null default 0,
    -- From then on it is tried (again), while it waits.
    next_attempt timestamptz not null default now(),
    -- Why the last attempt failed.
    error text,
    constraint mail_state_check check (state in ('waiting', 'sent', 'failed'))
);

-- Finds what is due.
create index mail_next_attempt_idx on mail (next_attempt) where state = 'waiting';

alter table mail enable row level security;
alter table mail force row level security;
create policy mail_border on mail using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

alter table draft_revision
    -- Who proposed it, when it is a suggestion that someone applied.
    add column suggested_by uuid references account,
    -- Whether whoever saved it counts as an author: a merge that changes nothing that runs makes
    -- nobody one.
    add column authored boolean not null default true;

alter table version
    -- A version made by rolling back at once has no draft.
    alter column draft_id drop not null,
    -- The version whose content was put back.
    add column rolled_back_from integer,
    -- The review that was open when it was published.
    add column review_id uuid references review,
    -- Who published it although the review policy held it back, and why.
    add column override_by uuid references account,
    add column override_reason text,
    add constraint version_origin_check
        check ((draft_id is null) = (rolled_back_from is not null)),
    add constraint version_override_check
        check ((override_by is null) = (override_reason is null));

-- A review shows the version that its draft became.
create index version_review_idx on version (review_id) where review_id is not null;
