-- What a run recorded is written and read whole, as JSON that only Sluice makes: to have Postgres
-- read it once more at each write was the largest part of what it did for a run. Each table that
-- was kept until now is written anew once, which takes about as long as reading it.
alter table run_record alter column records type text;

do $$
begin
    alter table run_record alter column records set compression lz4;
exception
    when feature_not_supported then null;
end
$$;
