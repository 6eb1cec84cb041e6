-- Organizations, the people in them, how they sign in, and what was done by whom.
--
-- Two locks guard the border between organizations. The first is in the queries of this crate:
-- each names its organization. The second is row-level security: a connection sees the rows of
-- the organization in its setting `sluice.organization`, or, when it belongs to the machinery
-- that serves all (sign-in, intake, queue, journal, schedules), has `sluice.scope` = 'system'.
-- `force` binds the owner of the tables too; a superuser is never bound, so do not connect as one.
-- The settings are read in sub-selects, so that they are evaluated once a query, not once a row.

create table organization (
    organization_id uuid primary key,
    name text not null,
    -- Marked on every screen, so that nobody takes its data for real.
    is_demo boolean not null default false,
    -- Ranges that integrations may reach besides public addresses: {"allowed": ["10.0.0.0/8"]}.
    network json not null default '{"allowed":[]}',
    created_at timestamptz not null default now()
);

alter table organization enable row level security;
alter table organization force row level security;
create policy organization_border on organization using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A person. Belongs to no organization by itself; `member` says where, and as what.
create table account (
    account_id uuid primary key,
    name text not null,
    -- Lower case, as domain::account::check_email returns it.
    email text not null,
    -- PHC string of argon2id.
    password_hash text not null,
    created_at timestamptz not null default now(),
    constraint account_email_key unique (email)
);

create table member (
    organization_id uuid not null references organization,
    account_id uuid not null references account,
    role text not null,
    joined_at timestamptz not null default now(),
    constraint member_pkey primary key (organization_id, account_id),
    constraint member_role_check check (role in ('admin', 'collaborator', 'reader'))
);

-- Sign-in asks where an account is a member.
create index member_account_idx on member (account_id);

alter table member enable row level security;
alter table member force row level security;
create policy member_border on member using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A signed-in browser. Ends when it is not used for 14 days, and at the latest at `expires_at`.
create table session (
    session_id uuid primary key,
    -- SHA-256 of the cookie's value: who reads this table cannot sign in with it.
    token_hash text not null,
    account_id uuid not null,
    organization_id uuid not null,
    created_at timestamptz not null default now(),
    used_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint session_token_hash_key unique (token_hash),
    -- Whoever is no member has no session: removal ends them in the same statement.
    constraint session_member_fkey foreign key (organization_id, account_id)
        references member (organization_id, account_id) on delete cascade
);

-- Serves the cascade from `member`.
create index session_member_idx on session (organization_id, account_id);

alter table session enable row level security;
alter table session force row level security;
create policy session_border on session using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A link that makes whoever opens it a member. Deleted when it is taken or withdrawn.
create table invitation (
    invitation_id uuid primary key,
    organization_id uuid not null references organization,
    role text not null,
    token_hash text not null,
    invited_by uuid not null references account,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint invitation_token_hash_key unique (token_hash),
    constraint invitation_role_check check (role in ('admin', 'collaborator', 'reader'))
);

-- The members page lists them.
create index invitation_organization_idx on invitation (organization_id);

alter table invitation enable row level security;
alter table invitation force row level security;
create policy invitation_border on invitation using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Failed sign-ins of the last minutes, by the SHA-256 of the e-mail address, also of addresses
-- without an account: an answer must not tell which exist. Rows are purged as they grow old.
create table sign_in_failure (
    email_hash text primary key,
    first_at timestamptz not null default now(),
    failures integer not null default 1
);

-- The purge looks for the oldest.
create index sign_in_failure_first_at_idx on sign_in_failure (first_at);

-- Who did what: a row for each act that changed something, written in the act's transaction.
create table audit (
    audit_id bigint generated always as identity primary key,
    organization_id uuid not null,
    at timestamptz not null default now(),
    -- Null when the machinery itself acted.
    account_id uuid,
    -- Such as 'draft.save'; the tables and verbs of this crate give the words.
    act text not null,
    -- The id of what was acted on.
    subject uuid not null,
    detail jsonb not null default '{}'
);

-- The history of one organization, newest first, and of one thing in it.
create index audit_organization_idx on audit (organization_id, audit_id);
create index audit_subject_idx on audit (organization_id, subject, audit_id);

alter table audit enable row level security;
alter table audit force row level security;
create policy audit_border on audit using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- Begins the work of a member: sets the organization for the rest of the transaction, then
-- returns the role that the account has there now, or null when it is no member any more.
-- One round trip, and a role that was taken away a moment ago is not used.
create function enter(entered_organization uuid, entered_account uuid) returns text
language plpgsql volatile as $$
begin
    perform set_config('sluice.organization', entered_organization::text, true);
    return (
        select role from member
        where organization_id = entered_organization and account_id = entered_account
    );
end
$$;
