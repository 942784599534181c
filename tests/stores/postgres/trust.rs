//! Whom the store trusts: nobody who may only put something beside it.

use belts::store::{Postgres, RunFilter, Store};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{InSchema, ask, connect, run, url};
use crate::requests::{at, begin, claim, commit, complete, entry, event, publish_to, worker};

/// What another role puts into `public` to run as us: better matches for the types that we call these with. Each leaves a trace.
const TRAPS: &str = "
    CREATE TABLE public.caught (what text); GRANT ALL ON public.caught TO PUBLIC;
    CREATE FUNCTION public.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('unnest'); RETURN QUERY SELECT pg_catalog.unnest($1); END $$;
    CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('unnest'); RETURN QUERY SELECT pg_catalog.unnest($1); END $$;
    CREATE FUNCTION public.cardinality(bigint[]) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('cardinality'); RETURN pg_catalog.cardinality($1); END $$;
    CREATE FUNCTION public.cardinality(text[]) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('cardinality'); RETURN pg_catalog.cardinality($1); END $$;
    CREATE FUNCTION public.array_position(bigint[], bigint) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('array_position'); RETURN pg_catalog.array_position($1, $2); END $$;
    CREATE FUNCTION public.pg_notify(text, varchar) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('pg_notify'); END $$;
    CREATE FUNCTION public.current_setting(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('current_setting'); RETURN pg_catalog.current_setting($1); END $$;
    CREATE FUNCTION public.same(name, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('='); RETURN $1::text OPERATOR(pg_catalog.=) $2::text; END $$;
    CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.same);
    CREATE FUNCTION public.same(text, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('='); RETURN $1 OPERATOR(pg_catalog.=) $2::text; END $$;
    CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = public.same);
    CREATE FUNCTION public.same(integer, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.caught VALUES ('='); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
    CREATE OPERATOR public.<> (LEFTARG = integer, RIGHTARG = bigint, FUNCTION = public.same)";

/// A role that could only create things in `public` put functions there with the names that ours call; resolved by the better
/// match of their types, they ran as us, and read payloads.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_put_into_public_is_never_called() -> belts::Result<()> {
    let (database, schema) = (InSchema::new(), InSchema::new());
    run(database.sql("CREATE DATABASE {schema}")).await;
    run(database.sql("CREATE ROLE {schema}_mallory LOGIN")).await;
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let inside = options.clone().database(&database.0);
    let admin = PgPoolOptions::new().connect_lazy_with(inside.clone());
    let grant = database.sql("GRANT ALL ON SCHEMA public TO PUBLIC");
    sqlx::raw_sql(grant)
        .execute(&admin)
        .await
        .expect("as on 14");
    let mallory = format!("{}_mallory", database.0);
    let traps = PgPoolOptions::new().connect_lazy_with(inside.clone().username(&mallory));
    sqlx::raw_sql(TRAPS)
        .execute(&traps)
        .await
        .expect("whoever may create in `public` may do this");
    let done = async {
        let pool = PgPoolOptions::new().max_connections(4);
        let pool = pool.connect_lazy_with(inside);
        let store = Postgres::with_pool(pool).schema(&schema.0).open().await?;
        let ours = worker(&store).await?;
        let (run_id, lease) = begin(&store, "e", ours).await?;
        commit(&store, lease, vec![entry(0), entry(1)], None).await?;
        commit(&store, lease, vec![], Some(complete())).await?;
        publish_to(&store, event("other"), None).await?;
        claim(&store, ours, at(0)).await?;
        store.revoked(&[lease]).await?;
        store.functions(at(0), 10).await?;
        store.backlog(&["f".into()], at(0), 10).await?;
        store.list(RunFilter::default()).await?;
        store.run(&run_id).await?;
        store.deregister(ours, at(0)).await?;
        store.forget("f", at(0), 10).await?;
        store.purge(at(9), 10).await?;
        belts::Result::Ok(())
    }
    .await;
    let caught = sqlx::query_scalar("SELECT DISTINCT what FROM public.caught");
    let caught: Vec<String> = caught.fetch_all(&admin).await.expect("the table is there");
    admin.close().await;
    traps.close().await;
    run(database.sql("DROP DATABASE {schema} WITH (FORCE)")).await;
    run(database.sql("DROP ROLE {schema}_mallory")).await;
    done?;
    assert_eq!(caught, Vec::<String>::new());
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn every_function_has_its_own_path() -> belts::Result<()> {
    let schema = InSchema::new();
    drop(schema.builder().open().await?);
    let without = "SELECT count(*) FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace
        AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)";
    assert_eq!(ask::<i64>(schema.sql(without)).await, 0);
    Ok(())
}

/// A role that writes nothing unless it says so: the store worked, and its listener connected 22 times a second, since the
/// locks that it takes are noted in a table.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_may_be_read_only_by_default() -> belts::Result<()> {
    let (schema, role) = (InSchema::new(), InSchema::new());
    run(role.sql("CREATE ROLE {schema}_reader LOGIN SUPERUSER")).await;
    run(role.sql("ALTER ROLE {schema}_reader SET default_transaction_read_only = on")).await;
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect_lazy_with(options.username(&format!("{}_reader", role.0)));
    let done = async {
        let store = Postgres::with_pool(pool.clone())
            .schema(&schema.0)
            .open()
            .await?;
        let ours = worker(&store).await?;
        begin(&store, "e", ours).await?;
        while ask::<i64>(schema.sql("SELECT count(*) FROM {schema}.workers WHERE watched")).await
            == 0
        {
            belts_suite::a_moment().await;
        }
        belts::Result::Ok(())
    };
    let done = tokio::time::timeout(std::time::Duration::from_secs(60), done).await;
    pool.close().await;
    drop(pool);
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{schema}_reader'";
    run(role.sql(end)).await;
    run(role.sql("ALTER ROLE {schema}_reader NOLOGIN")).await;
    drop(connect().await);
    done.expect("the listener has its lock")
}
