-- How long an organization keeps its runs, and what finds those that are older.

alter table organization
    add column retention_days integer not null default 30,
    add constraint organization_retention_days_check check (retention_days between 1 and 3650);

-- The oldest tests of an organization; `run_organization_idx` has the other runs.
create index run_test_idx on run (organization_id, run_id) where is_test;

-- The oldest alerts of an organization.
create index alert_organization_idx on alert (organization_id, at);
