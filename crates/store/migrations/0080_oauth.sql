-- Connections that get their tokens from a provider of OAuth 2.

-- Where the tokens come from: a domain::connection::OAuth; null of kinds that have none.
alter table connection add column oauth jsonb;

-- The tokens of a connection. They are sealed for their connection, variant and field, like what
-- its Admin types.
create table connection_token (
    connection_id uuid not null references connection on delete cascade,
    organization_id uuid not null references organization,
    -- `live`, or `test`.
    variant text not null,
    -- Counts the tokens. Who got a new one writes it only where this is still what it was: what is
    -- newer is never overwritten.
    issue bigint not null default 0,
    access bytea,
    -- What the next one is had for.
    refresh bytea,
    -- When it is to be exchanged, and when it ends; null when the provider did not say.
    renew_at timestamptz,
    expires_at timestamptz,
    -- When someone consented; null where nobody has to.
    given_at timestamptz,
    -- Why the provider takes it no more: nothing is asked of it until someone connects again.
    refused text,
    -- Until then a process asks for a new token, and no other does. One that ended meanwhile leaves
    -- it to the next.
    renewing_until timestamptz,
    constraint connection_token_pkey primary key (connection_id, variant),
    constraint connection_token_variant_check check (variant in ('live', 'test'))
);

alter table connection_token enable row level security;
alter table connection_token force row level security;
create policy connection_token_border on connection_token using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A consent that someone was sent to the provider for. It is used once, in the session that asked.
create table consent (
    -- Of the state that went with the question; the state itself is kept nowhere.
    state_hash text primary key,
    organization_id uuid not null references organization,
    connection_id uuid not null references connection on delete cascade,
    variant text not null,
    -- Whoever signs out meanwhile has asked for nothing.
    session_id uuid not null references session on delete cascade,
    -- The verifier of PKCE, sealed for this consent.
    verifier bytea not null,
    redirect_uri text not null,
    asked_at timestamptz not null default now(),
    constraint consent_variant_check check (variant in ('live', 'test'))
);

create index consent_connection_idx on consent (connection_id);
create index consent_session_idx on consent (session_id);

alter table consent enable row level security;
alter table consent force row level security;
create policy consent_border on consent using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
