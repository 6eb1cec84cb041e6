-- What a run recorded is written and read whole, as JSON that only Sluice makes: to have Postgres
-- read it once more at each write was the largest part of what it did for a run. What was kept
-- until now is written anew once, with lz4 where this Postgres has it; meanwhile nobody else can
-- read the table, and both need their room.
do $$
begin
    alter table run_record
        alter column records type text,
        alter column records set compression lz4;
exception
    when feature_not_supported then
        alter table run_record alter column records type text;
end
$$;
