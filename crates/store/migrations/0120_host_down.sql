-- Hosts that failed so often in a row that an organization's requests to them are refused for a
-- time, as one of the processes found out. Most organizations have no row, and all processes read
-- all of them every few seconds. A row goes when a request succeeds again.
create table host_down (
    organization_id uuid not null references organization on delete cascade,
    host text not null,
    port integer not null,
    -- Since when requests are refused, and when the next one goes through to see.
    since timestamptz not null,
    until timestamptz not null,
    -- How many requests in a row failed, and how the last one did.
    failures integer not null,
    why text not null,
    constraint host_down_pkey primary key (organization_id, host, port),
    constraint host_down_host_check check (char_length(host) between 1 and 300),
    constraint host_down_port_check check (port between 0 and 65535),
    constraint host_down_failures_check check (failures > 0)
);

alter table host_down enable row level security;
alter table host_down force row level security;
create policy host_down_border on host_down using (
    (select current_setting('sluice.scope', true)) = 'system'
    or organization_id = (select nullif(current_setting('sluice.organization', true), '')::uuid)
);
