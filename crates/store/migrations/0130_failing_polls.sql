-- An integration is failing for two causes, each of which begins and ends by itself: its runs end
-- badly, or its polls are not answered. Both are told by the same letters.

alter table failing
    drop constraint failing_pkey,
    -- A domain::alert::Cause.
    add column cause text not null default 'runs',
    alter column run_id drop not null,
    add constraint failing_pkey primary key (integration_id, cause),
    add constraint failing_cause_check
        check (cause in ('runs', 'polls') and (cause = 'runs') = (run_id is not null));
alter table failing alter column cause drop default;

alter table alert
    add column cause text not null default 'runs',
    alter column run_id drop not null,
    add constraint alert_cause_check
        check (cause in ('runs', 'polls') and (cause = 'runs') = (run_id is not null));
alter table alert alter column cause drop default;

-- When the first of the polls failed that failed one after the other; null when the last did not.
alter table poll add column failing_since timestamptz;

-- Who is told of an integration: Admins, and whoever published what is live; who wants to be.
create view alert_reader with (security_invoker = true) as
    select integration.integration_id, member.organization_id, member.account_id
    from integration
    left join version on version_id = live_version_id
    join member on member.organization_id = integration.organization_id
    where wants_alerts and (role = 'admin' or account_id = published_by);
