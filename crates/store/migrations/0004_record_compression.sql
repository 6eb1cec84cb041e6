-- Records and payloads are compressed by lz4 where this Postgres has it: it takes a quarter of the
-- time of the default, which was the largest single cost of writing the end of a run.
do $$
begin
    alter table run_record alter column records set compression lz4;
    alter table event alter column payload set compression lz4;
exception
    when feature_not_supported then null;
end
$$;
