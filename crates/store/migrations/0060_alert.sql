-- Who is told by e-mail that an integration began to fail, and that it recovered. The outbox takes
-- alerts beside notifications.

-- Whether a member wants to be told.
alter table member add column wants_alerts boolean not null default true;

-- Integrations of which a run ended badly, also those that have recovered since. Most have no row,
-- so that the journal, which looks here with every end of a run, finds next to nothing.
create table failing (
    integration_id uuid primary key,
    organization_id uuid not null,
    -- Since when, and the run that ended then; null once a run succeeded.
    since timestamptz,
    run_id uuid not null,
    -- When the letter about it is due. Later than `since` when there was one a moment before.
    alert_at timestamptz not null,
    -- When the last letter about an earlier time was due, if it was not taken back.
    alerted_at timestamptz
) with (fillfactor = 75);

alter table failing enable row level security;
alter table failing force row level security;
create policy failing_border on failing using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- A message to one member that an integration began to fail, or recovered. Written by the journal,
-- so without foreign keys, like runs.
create table alert (
    alert_id uuid primary key default gen_random_uuid(),
    organization_id uuid not null,
    account_id uuid not null,
    integration_id uuid not null,
    -- A domain::alert::Kind.
    kind text not null,
    -- The run that ended badly, or succeeded.
    run_id uuid not null,
    -- Why it ended, as the run said then; it may have been resumed since.
    reason text,
    -- Since when the integration fails, or failed.
    since timestamptz not null,
    at timestamptz not null default now(),
    constraint alert_kind_check check (kind in ('failing', 'recovered'))
);

-- Finds those that are to be taken back, and old ones.
create index alert_integration_idx on alert (integration_id, at);

alter table alert enable row level security;
alter table alert force row level security;
create policy alert_border on alert using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);

-- The outbox: what is to go out by e-mail, written with it. Either a notification or an alert.
alter table mail add column mail_id uuid;
update mail set mail_id = notification_id;
alter table mail
    drop constraint mail_pkey,
    alter column mail_id set not null,
    alter column notification_id drop not null,
    add column alert_id uuid,
    add constraint mail_pkey primary key (mail_id),
    add constraint mail_notification_id_key unique (notification_id),
    add constraint mail_alert_id_key unique (alert_id),
    add constraint mail_alert_id_fkey foreign key (alert_id) references alert on delete cascade,
    add constraint mail_of_check check (num_nonnulls(notification_id, alert_id) = 1);
